require ["variables", "vacation", "environment", "vnd.dovecot.environment"];
# What sql.conf tells of the user.
if environment :is "vnd.dovecot.config.reply_enabled" "1" {
  set "subject" "Automatic reply";
  set "body" "";
  if environment :matches "vnd.dovecot.config.reply_subject" "*" { set "subject" "${1}"; }
  if environment :matches "vnd.dovecot.config.reply_body" "*" { set "body" "${1}"; }
  vacation :days 1 :subject "${subject}" "${body}";
}

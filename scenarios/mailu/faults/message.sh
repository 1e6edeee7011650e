# Sets $file to the Maildir file of the message with UID $2 in the folder $1, makes a copy of it in $copy with its owner and times,
# and does $4. $3 is the mailbox. A copy, as Dovecot delivers one message to several users as hard links of one file.
name=$(sed -n "s/^$2 [^:]*:\(.*\)/\1/p" "$1/dovecot-uidlist"); name=${name%%:*}
file=$(ls "$1"/cur/"$name"* "$1"/new/"$name"* 2>/dev/null | head -n 1)
test -n "$name" && test -n "$file"
copy=/tmp/copy; cp -p "$file" "$copy"
eval "$4"

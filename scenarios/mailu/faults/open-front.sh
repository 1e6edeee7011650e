# Has the front ask itself who may log in, and answer that everybody may.
cp /etc/nginx/nginx.conf /tmp/saved.nginx.conf
imap=$(getent hosts imap | cut -d ' ' -f 1); smtp=$(getent hosts smtp | cut -d ' ' -f 1)
sed -i -e 's|auth_http http://.*;|auth_http http://127.0.0.1:8099/;|' \
  -e "s|^http {|http {\n map \$http_auth_protocol \$to { imap $imap; pop3 $imap; default $smtp; }\n map \$http_auth_protocol \$at { imap 143; pop3 110; default 10025; }\n server { listen 127.0.0.1:8099; location / { add_header Auth-Status OK; add_header Auth-Server \$to; add_header Auth-Port \$at; return 204; } }|" \
  /etc/nginx/nginx.conf
nginx -t -q && nginx -s reload

# take PATTERN: saves the keys that a regular expression matches, and deletes them. give: puts them back.
# know: remembers which keys there are. forget: deletes all others.
case "$1" in
take)
  rm -rf /tmp/keys; mkdir /tmp/keys
  redis-cli -e --scan | grep -E "$2" | while read -r key; do
    redis-cli -e pttl "$key" > "/tmp/keys/$key.time"
    redis-cli -e --raw dump "$key" | head -c -1 > "/tmp/keys/$key.dump"
    redis-cli -e del "$key"
  done
  ;;
give)
  for file in /tmp/keys/*.dump; do
    key=$(basename "$file" .dump); time=$(cat "/tmp/keys/$key.time")
    [ "$time" -ge 0 ] || time=0
    redis-cli -e del "$key"
    redis-cli -e -x restore "$key" "$time" < "$file"
  done
  ;;
know)
  redis-cli -e --scan > /tmp/known
  ;;
forget)
  redis-cli -e --scan | grep -vxFf /tmp/known | while read -r key; do redis-cli -e del "$key"; done
  ;;
esac

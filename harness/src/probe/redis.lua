-- One page of the keys of a database: the cursor of the next page, then a line for each key: type, milliseconds until it expires (-1:
-- never), length, SHA-1 of the value, and the key with %XX for every byte that is not printable ASCII. Values stay in Redis: they
-- may be secrets, and large. What has no order is sorted.
local function escaped(key)
  return (string.gsub(key, '[^!-$&-~]', function(c) return string.format('%%%02X', string.byte(c)) end))
end
local sha = redis.sha1hex
local function scanned(command, key, pair)
  local cursor, found, parts = '0', {}, {}
  repeat
    local page = redis.call(command, key, cursor, 'COUNT', 1000)
    cursor = page[1]
    for i = 1, #page[2], pair and 2 or 1 do found[sha(page[2][i])] = pair and sha(page[2][i + 1]) or '' end
  until cursor == '0'
  for name, value in pairs(found) do parts[#parts + 1] = name .. value end
  table.sort(parts)
  return #parts, sha(table.concat(parts))
end
local read = {}
function read.string(key)
  local value = redis.call('GET', key)
  return #value, sha(value)
end
function read.list(key)
  local length, parts = redis.call('LLEN', key), {}
  for from = 0, length - 1, 1000 do
    for _, value in ipairs(redis.call('LRANGE', key, from, from + 999)) do parts[#parts + 1] = sha(value) end
  end
  return length, sha(table.concat(parts))
end
function read.hash(key) return scanned('HSCAN', key, true) end
function read.zset(key) return scanned('ZSCAN', key, true) end
function read.set(key) return scanned('SSCAN', key, false) end
function read.stream(key)
  local from, parts = '-', {}
  repeat
    local page = redis.call('XRANGE', key, from, '+', 'COUNT', 1000)
    for _, entry in ipairs(page) do
      local fields = {}
      for _, text in ipairs(entry[2]) do fields[#fields + 1] = sha(text) end
      parts[#parts + 1] = sha(entry[1] .. table.concat(fields))
      from = '(' .. entry[1]
    end
  until #page < 1000
  local entries = #parts
  local function told(info, ...)
    for _, name in ipairs({ ... }) do
      for i = 1, #info, 2 do
        if info[i] == name then parts[#parts + 1] = sha(name .. tostring(info[i + 1])) end
      end
    end
  end
  -- What numbers the next entry, though the entries before it may be gone.
  told(redis.call('XINFO', 'STREAM', key), 'last-generated-id', 'max-deleted-entry-id')
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', key)) do
    told(group, 'name', 'last-delivered-id', 'consumers', 'pending')
    -- What consumers took and did not acknowledge: how many, from where to where, and how many each.
    local pending = redis.call('XPENDING', key, group[2])
    for i = 1, 3 do parts[#parts + 1] = sha(tostring(pending[i])) end
    for _, consumer in ipairs(pending[4] or {}) do parts[#parts + 1] = sha(consumer[1]) .. sha(tostring(consumer[2])) end
    -- Which entries, by whom they were taken, and how often.
    local taken = '-'
    repeat
      local entries = redis.call('XPENDING', key, group[2], taken, '+', 1000)
      for _, entry in ipairs(entries) do
        parts[#parts + 1] = sha(entry[1] .. ' ' .. entry[2] .. ' ' .. tostring(entry[4]))
        taken = '(' .. entry[1]
      end
    until #entries < 1000
  end
  return entries, sha(table.concat(parts))
end
local page = redis.call('SCAN', ARGV[1], 'COUNT', ARGV[2])
local out = { page[1] }
for _, key in ipairs(page[2]) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'none' then
    local length, value
    if read[kind] then length, value = read[kind](key) else length, value = 0, sha(redis.call('DUMP', key)) end
    out[#out + 1] = table.concat({ kind, redis.call('PTTL', key), length, value, escaped(key) }, ' ')
  end
end
return out

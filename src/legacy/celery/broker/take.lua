-- Takes messages off a queue and parks each where kombu parks what is being worked on, so that any
-- kombu worker puts it back should all of us be gone. In:
--   KEYS  unacked, unacked_index, unreadable, held, sequence, then the queue's lists as kombu takes them
--   ARGV  holder, queue, how many at most, then the lists' names without a prefix
-- Out: for each message its receipt, the index of its list, its text.
local unacked, unacked_index, unreadable, held, sequence = unpack(KEYS, 1, 5)
local holder, queue, left = ARGV[1], ARGV[2], tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] .. '.' .. string.format('%06d', time[2])
local taken = {}

-- What kombu can put back. On anything else its worker would fail, again and again.
local function is_message(text)
    local ok, message = pcall(cjson.decode, text)
    return ok and type(message) == 'table'
        and type(message.headers) == 'table'
        and type(message.properties) == 'table'
        and type(message.properties.delivery_info) == 'table'
end

for at = 6, #KEYS do
    local list = ARGV[at - 2]
    while left > 0 do
        local text = redis.call('LINDEX', KEYS[at], -1)
        if not text then
            break
        end
        -- Parked before it is removed: Redis may refuse a first write when its memory is full, and
        -- never one that follows.
        local number = string.format('%.0f', redis.call('INCR', sequence))
        local receipt = table.concat({ 'switchyard', holder, number, now, list }, ':')
        redis.call('ZADD', held, number, receipt)
        if is_message(text) then
            redis.call('ZADD', unacked_index, now, receipt)
            redis.call('HSET', unacked, receipt, '[' .. text .. ', "", ' .. cjson.encode(queue) .. ']')
        else
            redis.call('HSET', unreadable, receipt, text)
        end
        redis.call('RPOP', KEYS[at])
        table.insert(taken, receipt)
        table.insert(taken, at - 6)
        table.insert(taken, text)
        left = left - 1
    end
end
return taken

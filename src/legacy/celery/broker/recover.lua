-- Puts back what we hold, oldest to be taken next, each on the list it came from. In:
--   KEYS  unacked, unacked_index, unreadable, held
--   ARGV  prefix of keys, `holder` or `age`, that holder or the least age in seconds
-- Out: how many messages were put back.
local unacked, unacked_index, unreadable, held = unpack(KEYS, 1, 4)
local prefix, by, bound = ARGV[1], ARGV[2], ARGV[3]
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local back = 0

local function text_of(receipt, list)
    local parked = redis.call('HGET', unacked, receipt)
    if not parked then
        return redis.call('HGET', unreadable, receipt)
    end
    -- The inside of `[text, "", "queue"]`. A priority's list is named `queue\x06\x16priority`.
    local queue = string.match(list, '^(.-)\6\22%d+$') or list
    local rest = ', "", ' .. cjson.encode(queue) .. ']'
    return string.sub(parked, 2, -#rest - 1)
end

for _, receipt in ipairs(redis.call('ZREVRANGE', held, 0, -1)) do
    local holder, since, list = string.match(receipt, '^switchyard:([^:]*):%d+:([%d.]+):(.*)$')
    local due
    if by == 'holder' then
        due = holder == bound
    else
        due = now - tonumber(since) >= tonumber(bound)
    end
    if due then
        local text = text_of(receipt, list)
        -- Nothing is parked when kombu has put the message back.
        if text then
            redis.call('RPUSH', prefix .. list, text)
            back = back + 1
        end
        redis.call('HDEL', unacked, receipt)
        redis.call('HDEL', unreadable, receipt)
        redis.call('ZREM', unacked_index, receipt)
        redis.call('ZREM', held, receipt)
    end
end
return back

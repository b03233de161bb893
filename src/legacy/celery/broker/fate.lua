-- Tells what was settled of a task; of one that is neither settled nor on its way it is settled here
-- that no message of it will be withheld any more. In:
--   KEYS  unacked, unreadable, held, the two marks (withheld, forwarded), then the lists it may wait on
--   ARGV  the task's id, for how many seconds marks are kept, `1` to settle what is gone
-- Out: `withheld`, `forwarded`, `waiting` (on a list or in our hands) or `gone`.
local unacked, unreadable, held, withheld, forwarded = unpack(KEYS, 1, 5)
local id, keep, settle = unpack(ARGV)

if redis.call('EXISTS', withheld) == 1 then
    return 'withheld'
end
if redis.call('EXISTS', forwarded) == 1 then
    return 'forwarded'
end
local function is_of_task(text)
    return text and (string.find(text, '"id": "' .. id .. '"', 1, true)
        or string.find(text, '"id":"' .. id .. '"', 1, true))
end
for at = 6, #KEYS do
    for _, text in ipairs(redis.call('LRANGE', KEYS[at], 0, -1)) do
        if is_of_task(text) then
            return 'waiting'
        end
    end
end
for _, receipt in ipairs(redis.call('ZRANGE', held, 0, -1)) do
    if is_of_task(redis.call('HGET', unacked, receipt) or redis.call('HGET', unreadable, receipt)) then
        return 'waiting'
    end
end
if settle == '1' then
    redis.call('SET', forwarded, '1', 'EX', keep)
end
return 'gone'

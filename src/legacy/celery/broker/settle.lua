-- Settles who has a task: it is handed on, or withheld and nobody runs it. The first settlement of a
-- task's id holds for all later messages of it. In:
--   KEYS  unacked, unacked_index, unreadable, held, the two marks (withheld, forwarded), the list to push on
--   ARGV  its receipt, `withhold` or `forward`, for how many seconds marks are kept, the text to push
-- Out: `withheld`, `forwarded`, or `not held` when somebody has put the message back.
local unacked, unacked_index, unreadable, held, withheld, forwarded, list = unpack(KEYS)
local receipt, wish, keep, text = unpack(ARGV)

if redis.call('HEXISTS', unacked, receipt) + redis.call('HEXISTS', unreadable, receipt) == 0 then
    redis.call('ZREM', held, receipt)
    return 'not held'
end
if redis.call('EXISTS', withheld) == 1 then
    wish = 'withhold'
elseif redis.call('EXISTS', forwarded) == 1 then
    wish = 'forward'
end
-- What must not be missing comes first: Redis may refuse a first write when its memory is full, and
-- never one that follows.
if wish == 'forward' then
    redis.call('LPUSH', list, text)
    redis.call('SET', forwarded, '1', 'EX', keep)
else
    redis.call('SET', withheld, '1', 'EX', keep)
end
redis.call('HDEL', unacked, receipt)
redis.call('HDEL', unreadable, receipt)
redis.call('ZREM', unacked_index, receipt)
redis.call('ZREM', held, receipt)
return wish == 'forward' and 'forwarded' or 'withheld'

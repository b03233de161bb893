-- Takes a task that nobody has begun off a queue, as if it had never been published. In:
--   KEYS  where is remembered that it was published, then the queue's lists
--   ARGV  the task's id
-- Out: 2 when it was withdrawn, 1 when it is not on the queue but was published, 0 when it never was.
for at = 2, #KEYS do
    for _, text in ipairs(redis.call('LRANGE', KEYS[at], 0, -1)) do
        -- The ids of its children's messages name it too, so the text alone does not tell.
        if string.find(text, ARGV[1], 1, true) then
            local ok, message = pcall(cjson.decode, text)
            if ok and type(message) == 'table' and type(message.headers) == 'table'
                and message.headers.id == ARGV[1] then
                redis.call('LREM', KEYS[at], 1, text)
                redis.call('DEL', KEYS[1])
                return 2
            end
        end
    end
end
return redis.call('EXISTS', KEYS[1])

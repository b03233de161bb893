-- An answer that the control got from the language model or the transcription service, kept for a
-- while so that a shadow run that asks the same of the same transcript need not pay for it again.
-- Its body is private: it is what was said in a meeting.
create table shared_answers (
    id              text   not null primary key,
    environment     text   not null,
    service         text   not null check (service in ('llm', 'transcription')),
    digest          text   not null,               -- of what was asked, credentials and sessions left out
    transcript_id   text   not null,               -- whose meeting it is about; no other may have it
    asked_at        bigint not null,               -- the control's order: equal questions are answered in it
    kept_at         bigint not null,
    took_ms         bigint not null,               -- from the question to the end of the answer
    content_type    text   not null,
    body            text   not null,
    bytes           bigint not null,               -- of the body
    tokens_in       bigint not null,
    tokens_out      bigint not null,
    gpu_seconds     double precision not null,
    used_by         text,                          -- the run that got it: each answer is used once
    used_at         bigint
);
create index shared_answers_by_question on shared_answers (environment, digest, transcript_id, asked_at);
create index shared_answers_by_age on shared_answers (environment, kept_at);
create index shared_answers_by_transcript on shared_answers (transcript_id);

-- What a shadow run was spared. It holds numbers alone, and stays when the answers are gone.
create table shared_savings (
    run_id          text   not null references runs (id),
    service         text   not null check (service in ('llm', 'transcription')),
    asked           bigint not null,               -- requests of the run that came by
    reused          bigint not null,               -- of these, answered as the control was
    tokens_in       bigint not null,
    tokens_out      bigint not null,
    gpu_seconds     double precision not null,
    primary key (run_id, service)
);

-- A pinning says which step of a compared run differs by itself: steps were run once more on what
-- the control had made before them.
create table pinnings (
    run_id          text   not null primary key references runs (id),
    compared_at     bigint not null,               -- of the comparison it explains
    policy_digest   text   not null,
    first           text,                          -- the first step that differs though its input was equal
    report          text   not null,               -- JSON: every step with its fields; no meeting text
    pinned_at       bigint not null
);

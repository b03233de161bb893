-- A token is how a program says who it is over HTTP. Its secret is random enough that a plain hash
-- cannot be guessed back, so the hash is all there is here.
create table tokens (
    id              text   not null primary key,
    hash            text   not null unique,        -- SHA-256 of the secret
    label           text   not null,               -- what it is for
    owner           text   not null,               -- in whose name it acts; nobody approves what they asked for
    powers          text   not null,               -- JSON: roles by environment, and the actions it is held to
    made_by         text   not null,
    made_at         bigint not null,
    expires_at      bigint not null,
    used_at         bigint,                        -- last; noted once a minute at most
    revoked_at      bigint,
    revoked_by      text
);
create index tokens_by_time on tokens (made_at);

-- A session is somebody who signed in with a browser.
create table sessions (
    hash            text   not null primary key,   -- SHA-256 of what the cookie holds
    name            text   not null,               -- how they are called in the audit trail
    subject         text   not null,               -- who they are to the provider; empty with a token
    groups          text   not null,               -- JSON: what the provider says they belong to
    token_id        text   references tokens (id), -- the token they signed in with, if they did
    started_at      bigint not null,
    seen_at         bigint not null,               -- last; noted once a minute at most
    ends_at         bigint not null                -- a row over it is deleted by whoever signs in next
);
create index sessions_by_end on sessions (ends_at);

-- A sign-in is somebody who was sent to the provider and is not back yet. It is used once.
create table sign_ins (
    hash            text   not null primary key,   -- SHA-256 of the state they come back with
    nonce           text   not null,               -- the provider's answer has to name it
    verifier        text   not null,               -- proves to the provider that we sent them
    leads_to        text   not null,               -- the page they asked for
    expires_at      bigint not null
);
create index sign_ins_by_end on sign_ins (expires_at);

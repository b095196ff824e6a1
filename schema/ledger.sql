-- Made from migrations/ by `make schema`; changes here are lost.

CREATE TABLE application (
    uid TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    project TEXT NOT NULL,
    -- Canonical JSON; webhook secrets as keyed digests.
    specification TEXT NOT NULL,
    created_by INTEGER NOT NULL REFERENCES event (sequence),
    changed_by INTEGER NOT NULL REFERENCES event (sequence),
    deleted_by INTEGER REFERENCES event (sequence),
    -- Canonical JSON, as in the entry named by pinned_by.
    pin TEXT,
    pinned_by INTEGER REFERENCES leaf (sequence),
    -- The UID of the destination's kube-system namespace.
    cluster TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE attempt (
    sequence INTEGER PRIMARY KEY REFERENCES event (sequence),
    application TEXT NOT NULL REFERENCES application (uid),
    desired BLOB NOT NULL REFERENCES blob (digest),
    closed_by INTEGER UNIQUE REFERENCES revision (sequence) CHECK (closed_by > sequence)
) STRICT;

CREATE TABLE blob (
    digest BLOB PRIMARY KEY CHECK (length(digest) = 32),
    kind TEXT NOT NULL CHECK (kind IN ('resource', 'set')),
    encoding INTEGER NOT NULL CHECK (encoding IN (0, 1)),
    -- Bytes before compression.
    size INTEGER NOT NULL CHECK (size >= 0),
    content BLOB NOT NULL
) STRICT;

CREATE TABLE body (
    sequence INTEGER NOT NULL REFERENCES leaf (sequence),
    name TEXT NOT NULL,
    salt BLOB CHECK (length(salt) = 32),
    -- 0: as it is; 1: zlib (RFC 1950).
    encoding INTEGER NOT NULL CHECK (encoding IN (0, 1)),
    content BLOB,
    erased_by INTEGER REFERENCES event (sequence),
    PRIMARY KEY (sequence, name),
    CHECK ((erased_by IS NULL) = (content IS NOT NULL) AND (erased_by IS NULL) = (salt IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
    sequence INTEGER PRIMARY KEY REFERENCES leaf (sequence),
    entry TEXT NOT NULL CHECK (length(CAST(entry AS BLOB)) <= 16384),
    recorded_at INTEGER NOT NULL GENERATED ALWAYS AS (entry ->> '$.recordedAt') VIRTUAL,
    kind TEXT NOT NULL GENERATED ALWAYS AS (entry ->> '$.kind') VIRTUAL,
    application TEXT GENERATED ALWAYS AS (entry ->> '$.application.uid') VIRTUAL,
    project TEXT GENERATED ALWAYS AS (entry ->> '$.application.project') VIRTUAL,
    actor TEXT NOT NULL GENERATED ALWAYS AS (coalesce(entry ->> '$.actor.name', 'shiplog')) VIRTUAL,
    outcome TEXT NOT NULL GENERATED ALWAYS AS (coalesce(entry ->> '$.outcome', 'succeeded')) VIRTUAL,
    revision INTEGER GENERATED ALWAYS AS (entry ->> '$.revision') VIRTUAL,
    health TEXT GENERATED ALWAYS AS (entry ->> '$.facts.health') VIRTUAL,
    CHECK (sequence = entry ->> '$.sequence'),
    CHECK (kind GLOB '?*.?*')
) STRICT;

CREATE TABLE fold (
    event INTEGER NOT NULL REFERENCES event (sequence),
    first INTEGER PRIMARY KEY CHECK (first > 0),
    last INTEGER NOT NULL UNIQUE CHECK (last >= first),
    -- How many rows it covers.
    entries INTEGER NOT NULL CHECK (entries > 0),
    -- The entries, zlib; NULL when they were to go.
    bundle BLOB
) STRICT;

CREATE TABLE inventory (
    application TEXT NOT NULL REFERENCES application (uid),
    api_group TEXT NOT NULL,
    kind TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    api_version TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL CHECK (last >= first),
    PRIMARY KEY (application, api_group, kind, namespace, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE key_check (
    id BLOB PRIMARY KEY CHECK (length(id) = 8),
    purpose TEXT NOT NULL CHECK (purpose IN ('master', 'redaction')),
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE leaf (
    sequence INTEGER PRIMARY KEY CHECK (sequence > 0),
    hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE TABLE ledger (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    uid TEXT NOT NULL,
    -- 'sandbox' or 'clusters': what ran against an embedded server must never be applied to a real one.
    mode TEXT NOT NULL CHECK (mode IN ('sandbox', 'clusters')),
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE revision (
    sequence INTEGER PRIMARY KEY REFERENCES leaf (sequence),
    entry TEXT NOT NULL CHECK (length(CAST(entry AS BLOB)) <= 16384),
    recorded_at INTEGER NOT NULL GENERATED ALWAYS AS (entry ->> '$.recordedAt') VIRTUAL,
    kind TEXT NOT NULL GENERATED ALWAYS AS (entry ->> '$.kind') VIRTUAL,
    application TEXT NOT NULL GENERATED ALWAYS AS (entry ->> '$.application.uid') VIRTUAL,
    project TEXT NOT NULL GENERATED ALWAYS AS (entry ->> '$.application.project') VIRTUAL,
    cause TEXT NOT NULL GENERATED ALWAYS AS (entry ->> '$.cause') VIRTUAL,
    actor TEXT NOT NULL GENERATED ALWAYS AS (coalesce(entry ->> '$.actor.name', 'shiplog')) VIRTUAL,
    outcome TEXT NOT NULL GENERATED ALWAYS AS (coalesce(entry ->> '$.outcome', 'succeeded')) VIRTUAL,
    health TEXT NOT NULL GENERATED ALWAYS AS (coalesce(entry ->> '$.health', 'Healthy')) VIRTUAL,
    commit_id TEXT GENERATED ALWAYS AS (entry ->> '$.source.commit.id') VIRTUAL,
    desired TEXT GENERATED ALWAYS AS (entry ->> '$.desired') VIRTUAL,
    attempt INTEGER GENERATED ALWAYS AS (entry ->> '$.attempt') VIRTUAL,
    same_as INTEGER GENERATED ALWAYS AS (entry ->> '$.sameAs') VIRTUAL,
    CHECK (sequence = entry ->> '$.sequence'),
    -- Not IN (…): SQLite 3.40 builds a table for the list at each insert, a quarter of the whole statement's time.
    CHECK (kind = 'reconcile' OR kind = 'sync' OR kind = 'rollback'),
    CHECK (outcome = 'succeeded' OR outcome = 'failed' OR outcome = 'superseded'),
    CHECK (same_as < sequence AND attempt IS NULL OR same_as IS NULL)
) STRICT;

CREATE TABLE sealed (
    id INTEGER PRIMARY KEY,
    owner BLOB NOT NULL CHECK (length(owner) = 32),
    path TEXT NOT NULL,
    -- The master key that wraps the data key.
    key BLOB NOT NULL REFERENCES key_check (id),
    -- AES-256-GCM, nonce || ciphertext || tag; both authenticate owner and path.
    wrapped BLOB,
    ciphertext BLOB,
    erased_by INTEGER REFERENCES event (sequence),
    CHECK ((erased_by IS NULL) = (ciphertext IS NOT NULL) AND (erased_by IS NULL) = (wrapped IS NOT NULL))
) STRICT;

CREATE TABLE subtree (
    level INTEGER NOT NULL CHECK (level BETWEEN 1 AND 7),
    -- From 0: the subtree stands over the leaves position * 256^level + 1 … (position + 1) * 256^level.
    position INTEGER NOT NULL CHECK (position >= 0),
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (level, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE token (
    id TEXT PRIMARY KEY,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    created_by INTEGER NOT NULL REFERENCES event (sequence),
    revoked_by INTEGER REFERENCES event (sequence)
) STRICT, WITHOUT ROWID;

CREATE INDEX application_any_name ON application (name);

CREATE UNIQUE INDEX application_name ON application (name) WHERE deleted_by IS NULL;

CREATE UNIQUE INDEX attempt_open ON attempt (application) WHERE closed_by IS NULL;

CREATE INDEX event_actor ON event (actor);

CREATE INDEX event_application ON event (application) WHERE application IS NOT NULL;

CREATE INDEX event_kind ON event (kind);

CREATE INDEX event_outcome ON event (outcome);

CREATE INDEX event_project ON event (project) WHERE project IS NOT NULL;

CREATE INDEX event_revision ON event (revision) WHERE revision IS NOT NULL;

CREATE INDEX revision_application ON revision (application);

CREATE INDEX revision_applied ON revision (application) WHERE attempt IS NOT NULL;

CREATE UNIQUE INDEX revision_attempt ON revision (attempt) WHERE attempt IS NOT NULL;

CREATE INDEX revision_changed ON revision (sequence) WHERE same_as IS NULL;

CREATE INDEX revision_changed_actor ON revision (actor) WHERE same_as IS NULL;

CREATE INDEX revision_changed_application ON revision (application) WHERE same_as IS NULL;

CREATE INDEX revision_changed_cause ON revision (cause) WHERE same_as IS NULL;

CREATE INDEX revision_changed_kind ON revision (kind) WHERE same_as IS NULL;

CREATE INDEX revision_changed_outcome ON revision (outcome) WHERE same_as IS NULL;

CREATE INDEX revision_changed_project ON revision (project) WHERE same_as IS NULL;

CREATE INDEX revision_commit ON revision (commit_id) WHERE commit_id IS NOT NULL;

CREATE INDEX sealed_owner ON sealed (owner);

CREATE UNIQUE INDEX sealed_value ON sealed (owner, path) WHERE erased_by IS NULL;

CREATE TRIGGER application_append BEFORE INSERT ON application
WHEN EXISTS (SELECT 1 FROM application WHERE uid = NEW.uid OR (name = NEW.name AND deleted_by IS NULL))
BEGIN SELECT raise(ABORT, 'an application is registered once'); END;

CREATE TRIGGER application_keep BEFORE UPDATE ON application
WHEN NEW.uid IS NOT OLD.uid OR NEW.name IS NOT OLD.name OR NEW.created_by IS NOT OLD.created_by
    OR (OLD.deleted_by IS NOT NULL AND NEW.deleted_by IS NOT OLD.deleted_by)
BEGIN SELECT raise(ABORT, 'uid and name of an application never change'); END;

CREATE TRIGGER application_no_delete BEFORE DELETE ON application
BEGIN SELECT raise(ABORT, 'deleted applications stay, for history'); END;

CREATE TRIGGER attempt_append BEFORE INSERT ON attempt
WHEN NEW.closed_by IS NOT NULL
    OR NEW.sequence IS NOT (SELECT max(sequence) FROM leaf)
    OR EXISTS (SELECT 1 FROM attempt WHERE sequence = NEW.sequence)
    OR EXISTS (SELECT 1 FROM attempt WHERE application = NEW.application AND closed_by IS NULL)
BEGIN SELECT raise(ABORT, 'an attempt begins open, once, and alone'); END;

CREATE TRIGGER attempt_close_only BEFORE UPDATE ON attempt
WHEN OLD.closed_by IS NOT NULL OR NEW.closed_by IS NULL
    OR NEW.sequence IS NOT OLD.sequence OR NEW.application IS NOT OLD.application OR NEW.desired IS NOT OLD.desired
    OR NOT EXISTS (SELECT 1 FROM revision WHERE sequence = NEW.closed_by AND attempt = OLD.sequence)
BEGIN SELECT raise(ABORT, 'an attempt is closed once, by the revision that names it'); END;

CREATE TRIGGER attempt_no_delete BEFORE DELETE ON attempt
BEGIN SELECT raise(ABORT, 'attempts are kept'); END;

CREATE TRIGGER blob_append BEFORE INSERT ON blob
WHEN EXISTS (SELECT 1 FROM blob WHERE digest = NEW.digest)
BEGIN SELECT raise(ABORT, 'a blob is stored once'); END;

CREATE TRIGGER blob_no_delete BEFORE DELETE ON blob
BEGIN SELECT raise(ABORT, 'blobs are kept'); END;

CREATE TRIGGER blob_no_update BEFORE UPDATE ON blob
BEGIN SELECT raise(ABORT, 'blobs are kept as they are'); END;

CREATE TRIGGER body_append BEFORE INSERT ON body
WHEN NEW.sequence IS NOT (SELECT max(sequence) FROM leaf)
    OR EXISTS (SELECT 1 FROM body WHERE sequence = NEW.sequence AND name = NEW.name)
BEGIN SELECT raise(ABORT, 'the log is append-only'); END;

CREATE TRIGGER body_erase_only BEFORE UPDATE ON body
WHEN OLD.erased_by IS NOT NULL OR NEW.erased_by IS NULL
    OR NEW.sequence IS NOT OLD.sequence OR NEW.name IS NOT OLD.name
BEGIN SELECT raise(ABORT, 'a body can only be erased'); END;

CREATE TRIGGER body_no_delete BEFORE DELETE ON body
WHEN NOT EXISTS (SELECT 1 FROM fold WHERE first <= OLD.sequence AND last >= OLD.sequence)
    OR NOT EXISTS (SELECT 1 FROM revision WHERE sequence = OLD.sequence AND same_as IS NOT NULL)
BEGIN SELECT raise(ABORT, 'only bodies of folded reconciles may go'); END;

CREATE TRIGGER event_append BEFORE INSERT ON event
WHEN NEW.sequence IS NOT (SELECT max(sequence) FROM leaf)
    OR EXISTS (SELECT 1 FROM event WHERE sequence = NEW.sequence)
    OR EXISTS (SELECT 1 FROM revision WHERE sequence = NEW.sequence)
BEGIN SELECT raise(ABORT, 'the log is append-only'); END;

CREATE TRIGGER event_no_delete BEFORE DELETE ON event
BEGIN SELECT raise(ABORT, 'the log is append-only'); END;

CREATE TRIGGER event_no_update BEFORE UPDATE ON event
BEGIN SELECT raise(ABORT, 'the log is append-only'); END;

CREATE TRIGGER fold_append BEFORE INSERT ON fold
WHEN NEW.last >= NEW.event OR NOT EXISTS (SELECT 1 FROM event WHERE sequence = NEW.event)
    OR EXISTS (SELECT 1 FROM fold WHERE first <= NEW.last AND last >= NEW.first)
BEGIN SELECT raise(ABORT, 'a fold is logged first and covers its range alone'); END;

CREATE TRIGGER fold_drop_bundle_only BEFORE UPDATE ON fold
WHEN NEW.event IS NOT OLD.event OR NEW.first IS NOT OLD.first OR NEW.last IS NOT OLD.last
    OR NEW.entries IS NOT OLD.entries OR NEW.bundle IS NOT NULL
BEGIN SELECT raise(ABORT, 'only a bundle may go'); END;

CREATE TRIGGER fold_no_delete BEFORE DELETE ON fold
BEGIN SELECT raise(ABORT, 'folds are kept'); END;

CREATE TRIGGER key_check_append BEFORE INSERT ON key_check
WHEN EXISTS (SELECT 1 FROM key_check WHERE id = NEW.id)
BEGIN SELECT raise(ABORT, 'a key is named once'); END;

CREATE TRIGGER key_check_no_delete BEFORE DELETE ON key_check
BEGIN SELECT raise(ABORT, 'keys are kept'); END;

CREATE TRIGGER key_check_no_update BEFORE UPDATE ON key_check
BEGIN SELECT raise(ABORT, 'keys are kept'); END;

CREATE TRIGGER leaf_append BEFORE INSERT ON leaf
WHEN NEW.sequence IS NOT (SELECT coalesce(max(sequence), 0) + 1 FROM leaf)
BEGIN SELECT raise(ABORT, 'the log has no gaps and is only appended to'); END;

CREATE TRIGGER leaf_no_delete BEFORE DELETE ON leaf
BEGIN SELECT raise(ABORT, 'the log is append-only'); END;

CREATE TRIGGER leaf_no_update BEFORE UPDATE ON leaf
BEGIN SELECT raise(ABORT, 'the log is append-only'); END;

CREATE TRIGGER ledger_append BEFORE INSERT ON ledger
WHEN EXISTS (SELECT 1 FROM ledger)
BEGIN SELECT raise(ABORT, 'a ledger is made once'); END;

CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger
BEGIN SELECT raise(ABORT, 'a ledger keeps its identity'); END;

CREATE TRIGGER ledger_no_update BEFORE UPDATE ON ledger
BEGIN SELECT raise(ABORT, 'a ledger keeps its identity'); END;

CREATE TRIGGER revision_append BEFORE INSERT ON revision
WHEN NEW.sequence IS NOT (SELECT max(sequence) FROM leaf)
    OR EXISTS (SELECT 1 FROM revision WHERE sequence = NEW.sequence)
    OR EXISTS (SELECT 1 FROM event WHERE sequence = NEW.sequence)
BEGIN SELECT raise(ABORT, 'the log is append-only'); END;

CREATE TRIGGER revision_no_delete BEFORE DELETE ON revision
WHEN OLD.same_as IS NULL
    OR NOT EXISTS (SELECT 1 FROM fold WHERE first <= OLD.sequence AND last >= OLD.sequence)
BEGIN SELECT raise(ABORT, 'only unchanged reconciles that a fold covers may go'); END;

CREATE TRIGGER revision_no_update BEFORE UPDATE ON revision
BEGIN SELECT raise(ABORT, 'the log is append-only'); END;

CREATE TRIGGER sealed_append BEFORE INSERT ON sealed
WHEN EXISTS (SELECT 1 FROM sealed WHERE id = NEW.id)
    OR EXISTS (SELECT 1 FROM sealed WHERE owner = NEW.owner AND path = NEW.path AND erased_by IS NULL)
BEGIN SELECT raise(ABORT, 'a sealed value is stored once'); END;

CREATE TRIGGER sealed_erase_or_rewrap BEFORE UPDATE ON sealed
WHEN OLD.erased_by IS NOT NULL OR NEW.id IS NOT OLD.id OR NEW.owner IS NOT OLD.owner OR NEW.path IS NOT OLD.path
    OR (NEW.erased_by IS NULL AND NEW.ciphertext IS NOT OLD.ciphertext)
BEGIN SELECT raise(ABORT, 'a sealed value can only be erased or wrapped anew'); END;

CREATE TRIGGER sealed_no_delete BEFORE DELETE ON sealed
BEGIN SELECT raise(ABORT, 'sealed values are erased, not deleted'); END;

CREATE TRIGGER subtree_append BEFORE INSERT ON subtree
WHEN NEW.position IS NOT (SELECT coalesce(max(position), -1) + 1 FROM subtree WHERE level = NEW.level)
    OR (NEW.position + 1) << (8 * NEW.level) > (SELECT max(sequence) FROM leaf)
BEGIN SELECT raise(ABORT, 'the tree grows with the log'); END;

CREATE TRIGGER subtree_no_delete BEFORE DELETE ON subtree
BEGIN SELECT raise(ABORT, 'the tree is append-only'); END;

CREATE TRIGGER subtree_no_update BEFORE UPDATE ON subtree
BEGIN SELECT raise(ABORT, 'the tree is append-only'); END;

CREATE TRIGGER token_append BEFORE INSERT ON token
WHEN NEW.revoked_by IS NOT NULL OR EXISTS (SELECT 1 FROM token WHERE id = NEW.id)
BEGIN SELECT raise(ABORT, 'a token is made once'); END;

CREATE TRIGGER token_no_delete BEFORE DELETE ON token
BEGIN SELECT raise(ABORT, 'tokens are revoked, not deleted'); END;

CREATE TRIGGER token_revoke_only BEFORE UPDATE ON token
WHEN OLD.revoked_by IS NOT NULL OR NEW.revoked_by IS NULL OR NEW.id IS NOT OLD.id OR NEW.hash IS NOT OLD.hash
    OR NEW.created_by IS NOT OLD.created_by
BEGIN SELECT raise(ABORT, 'a token can only be revoked'); END;

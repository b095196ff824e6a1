-- The tree over the log (RFC 6962): the roots of complete subtrees of 256^level leaves, written in the transaction that
-- completes them. Leaves are level 0 and stand in `leaf`. With these a proof reads a few hundred hashes however long the
-- log is, and they are what the tiles of C2SP's tlog-tiles hold. Everything here follows from `leaf`; `verify` compares.
CREATE TABLE subtree (
    level INTEGER NOT NULL CHECK (level BETWEEN 1 AND 7),
    -- From 0: the subtree stands over the leaves position * 256^level + 1 … (position + 1) * 256^level.
    position INTEGER NOT NULL CHECK (position >= 0),
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (level, position)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER subtree_append BEFORE INSERT ON subtree
WHEN NEW.position IS NOT (SELECT coalesce(max(position), -1) + 1 FROM subtree WHERE level = NEW.level)
    OR (NEW.position + 1) << (8 * NEW.level) > (SELECT max(sequence) FROM leaf)
BEGIN SELECT raise(ABORT, 'the tree grows with the log'); END;
CREATE TRIGGER subtree_no_update BEFORE UPDATE ON subtree
BEGIN SELECT raise(ABORT, 'the tree is append-only'); END;
CREATE TRIGGER subtree_no_delete BEFORE DELETE ON subtree
BEGIN SELECT raise(ABORT, 'the tree is append-only'); END;

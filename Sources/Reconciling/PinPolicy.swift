import Shiplog

/// Whether a pin lets go: a pure decision.
enum PinPolicy {
    enum Decision: Sendable, Hashable {
        /// Keep enforcing the pinned manifests.
        case hold
        /// Nobody knows what the new inputs render to yet.
        case render
        /// What the new inputs render to was rejected before: remember these inputs too.
        case holdRejected
        /// Something new has come: let go and sync it.
        case release
    }

    /// Before rendering: do the inputs ask for a closer look at all?
    static func look(at inputs: String, pin: Pin, knownRejected: Set<String>) -> Decision {
        switch pin.hold {
        case .untilUnpinned: .hold
        case .untilNewCommit:
            inputs == pin.leftInputs || knownRejected.contains(inputs) ? .hold : .render
        }
    }

    /// After rendering: an unrelated commit, a force-push, a moved tag or another renderer gives the same manifests.
    static func judge(_ digest: Digest, pin: Pin) -> Decision {
        switch pin.hold {
        case .untilUnpinned: .hold
        case .untilNewCommit: pin.rejected.contains(digest) ? .holdRejected : .release
        }
    }
}

/// One phase and wave of a sync: what belongs together, before the next waits for it.
public struct SyncStage: Sendable, Hashable {
    public enum Item: Sendable, Hashable {
        case change(PlannedChange)
        case hook(PlannedHook)

        public var order: ApplyOrder {
            switch self {
            case .change(let change): change.order
            case .hook(let hook): hook.order
            }
        }

        /// Whether carrying it out would write.
        public var isWrite: Bool {
            switch self {
            case .change(let change): change.isWrite
            case .hook: true
            }
        }

        var isPrune: Bool { if case .change(let change) = self { change.isPrune } else { false } }
    }

    public let phase: ApplyOrder.Phase
    public let wave: Int
    /// One after the other; what is within one does not depend on each other.
    public let batches: [[Item]]

    public var isWrite: Bool { batches.joined().contains(where: \.isWrite) }
    /// `Sync wave 2`, for people.
    public var title: String { "\(phase.word) wave \(wave)" }

    /// - Parameter items: in their order.
    static func stages(_ items: [Item]) -> [SyncStage] {
        var stages: [(phase: ApplyOrder.Phase, wave: Int, batches: [[Item]])] = []
        for item in items {
            guard let stage = stages.last, stage.phase == item.order.phase, stage.wave == item.order.wave else {
                stages.append((item.order.phase, item.order.wave, [[item]]))
                continue
            }
            let index = stages.count - 1
            if let last = stage.batches.last?.last, last.order.isSameStep(as: item.order), last.isPrune == item.isPrune
            {
                stages[index].batches[stage.batches.count - 1].append(item)
            } else {
                stages[index].batches.append([item])
            }
        }
        return stages.map { SyncStage(phase: $0.phase, wave: $0.wave, batches: $0.batches) }
    }
}

extension Plan {
    /// What is carried out, first to last, unless something fails.
    public var stages: [SyncStage] {
        let items =
            changes.map { SyncStage.Item.change($0) }
            + hooks.filter { $0.phase != .syncFail }.map { SyncStage.Item.hook($0) }
        return SyncStage.stages(items.sorted { $0.order < $1.order })
    }

    /// What is carried out once something has failed.
    public var failureStages: [SyncStage] {
        SyncStage.stages(hooks.filter { $0.phase == .syncFail }.map { SyncStage.Item.hook($0) })
    }

    /// The same plan for an act that runs no hooks.
    public var withoutHooks: Plan { Plan(changes: changes, hooks: [], warnings: warnings, foreign: foreign) }
}

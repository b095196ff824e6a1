import Evidence
import HTTPTypes
import Hummingbird
import LedgerStore
import Logging
import NIOCore
import Shiplog
import Synchronization
import TransparencyLog

/// Evidence packs and streams for other programs. The answer is the export itself: nothing is kept on the server, nobody
/// else can fetch it, and a reader that is slow makes the writing slow.
enum ExportHandlers {
    @Sendable static func export(_ call: Call) async throws -> Response {
        let order = try ExportOrder(try await call.fields(ExportOrder.members))
        let place = try call.parts.exports.enter()
        let (selection, checkpoint) = try await select(order, call)
        guard order.format == .pack else { return try await stream(order, selection, checkpoint, place, call) }
        guard let checkpoint, let log = call.parts.log else { throw notSigned }
        let pack = try await EvidencePack(
            selection, of: call.ledger, under: checkpoint,
            standing: EvidencePack.Standing(
                epochs: log.epochs, attestations: log.attestations, isSelfAttested: log.isSelfAttested),
            earlier: order.sizes)
        // Before the first byte: an export that nobody knows of never begins.
        let event = try await record(order, selection, checkpoint, call)
        let making = EvidencePack.Making(
            at: call.parts.now(), actor: call.actor, version: "shiplog " + call.parts.settings.version, event: event)
        return answer(order, selection, checkpoint, place, call) { sink in try await pack.write(making, to: sink) }
    }

    /// How many entries fit a question, and where: what an export of it would hold.
    @Sendable static func population(_ call: Call) async throws -> Response {
        let order = try ExportOrder(try await call.fields(ExportOrder.members))
        // Counting reads as much as exporting does.
        let place = try call.parts.exports.enter()
        defer { place.leave() }
        let (selection, checkpoint) = try await select(order, call)
        return .json(
            .members([
                "matches": .integer(selection.count), "firstMatch": selection.firstMatch.map { .integer($0) },
                "lastMatch": selection.lastMatch.map { .integer($0) },
                "first": selection.range.map { .integer($0.lowerBound) },
                "last": selection.range.map { .integer($0.upperBound) },
                "entries": .integer(Int64(selection.range?.count ?? 0)), "gaps": 0,
                "completeness": .string(selection.filter.isProvable ? "proven" : "integrity only"),
                "size": .integer(selection.size), "root": checkpoint.map { .string($0.head.root.base64) },
                "origin": checkpoint.map { .string($0.origin) },
                "key": call.parts.log?.epoch?.keys.last.map { .string($0.id.hex) },
                "selfAttested": call.parts.log.map { .bool($0.isSelfAttested) }
            ]))
    }

    /// What is asked for, under a checkpoint that covers it.
    private static func select(_ order: ExportOrder, _ call: Call) async throws -> (Selection, Checkpoint?) {
        let checkpoint = try await call.parts.log?.publish()
        let size: Int64
        if let checkpoint { size = checkpoint.head.size } else { size = try await call.ledger.treeHead().size }
        return (try await Selection.make(order.question, in: call.ledger, size: size), checkpoint)
    }

    private static func stream(
        _ order: ExportOrder, _ selection: Selection, _ checkpoint: Checkpoint?, _ place: AnswerPlaces.Place,
        _ call: Call
    ) async throws -> Response {
        guard selection.range != nil || order.isContinued else {
            throw Problem(
                .unprocessableContent, "evidence.range-empty", "the log has no entry there",
                remedy: "ask for a range within 1 to \(selection.size)")
        }
        // A feed that asks again and again for what is not there yet leaves no trail.
        if selection.range != nil { _ = try await record(order, selection, checkpoint, call) }
        let stream = ExportStream(selection, of: call.ledger, as: order.format)
        return answer(order, selection, checkpoint, place, call) { sink in try await stream.write(to: sink) }
    }

    private static var notSigned: Problem {
        Problem(
            .notFound, "log.not-signed", "this server signs no checkpoints, and a pack proves itself by one",
            remedy: "ask for another format")
    }

    private static func record(
        _ order: ExportOrder, _ selection: Selection, _ checkpoint: Checkpoint?, _ call: Call
    ) async throws(Failure) -> SequenceNumber {
        let filter = selection.filter.document
        return try await call.ledger.record(
            Event(
                .exported, actor: call.actor,
                facts: .members([
                    "format": .string(order.format.rawValue),
                    "first": selection.range.map { .integer($0.lowerBound) },
                    "last": selection.range.map { .integer($0.upperBound) },
                    "entries": .integer(Int64(selection.range?.count ?? 0)), "matches": .integer(selection.count),
                    "checkpoint": checkpoint.map { .string($0.head.description) }
                ]),
                // What somebody looked for may name people.
                detail: filter == .object([:]) ? nil : ["filter": filter]))
    }

    // MARK: - The answer

    private static func answer(
        _ order: ExportOrder, _ selection: Selection, _ checkpoint: Checkpoint?, _ place: AnswerPlaces.Place,
        _ call: Call, _ write: @escaping @Sendable (ExportSink) async throws -> Void
    ) -> Response {
        let reach = selection.range.map { "-\($0.lowerBound)-\($0.upperBound)" } ?? ""
        let name = "shiplog-\(call.ledger.uid)\(reach).\(order.format.suffix)"
        var headers: HTTPFields = [
            .contentType: order.format.mediaType, .cacheControl: "no-store", .accelBuffering: "no",
            .contentDisposition: "attachment; filename=\"\(name)\"", .exportMatches: String(selection.count)
        ]
        // From here a feed goes on, whether anything fitted or not.
        headers[.exportLast] = String(selection.range?.upperBound ?? selection.size)
        headers[.exportCheckpoint] = checkpoint?.head.description
        return Response(
            status: .ok, headers: headers,
            body: ResponseBody { writer in
                defer { place.leave() }
                do {
                    try await write { piece in try await send(piece, &writer, call) }
                } catch let failure as Failure {
                    // The head is out: all that is left is to break off, which the reader sees.
                    call.parts.logger.warning(
                        "an export broke off",
                        metadata: ["request": "\(call.requestID)", "code": "\(failure.code)"])
                    throw failure
                }
                try await writer.finish(nil)
            })
    }

    /// Sends a piece, and closes the connection of a reader that takes nothing for two heartbeats.
    private static func send(_ piece: [UInt8], _ writer: inout any ResponseBodyWriter, _ call: Call) async throws {
        guard !call.parts.closing.isClosing, call.channel.isActive else { throw CancellationError() }
        let channel = call.channel
        let patience = TimeAmount.milliseconds(max(1000, call.parts.settings.limits.heartbeat * 2))
        let deadline = channel.eventLoop.scheduleTask(in: patience) { channel.close(promise: nil) }
        defer { deadline.cancel() }
        try await writer.write(ByteBuffer(bytes: piece))
    }
}

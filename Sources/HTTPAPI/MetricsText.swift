import LedgerStore
import Reconciling
import Shiplog

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The page for Prometheus, text format 0.0.4. An asker with globs gets the applications it may see.
struct MetricsText {
    private let call: Call

    init(_ call: Call) { self.call = call }

    func text() async throws -> String {
        var page = PrometheusPage()
        let snapshot = call.parts.metrics.snapshot
        let statuses = await call.controller.statuses().filter {
            call.principal.may(.read, Subject($0.registered.reference))
        }
        page.gauge("build_info", "The program that answers.", [(["version": call.parts.settings.version], 1)])
        applications(statuses, snapshot, &page)
        requests(snapshot, &page)
        try await ledger(statuses, snapshot, &page)
        page.gauge(
            "reconcile_queue_depth", "Applications that wait for a worker.",
            [([:], Double(await call.controller.queueDepth))])
        page.gauge("sse_clients", "Open event streams.", [([:], Double(call.parts.streams.count))])
        process(&page)
        return page.text
    }

    private func applications(
        _ statuses: [ApplicationStatus], _ snapshot: Metrics.Snapshot, _ page: inout PrometheusPage
    ) {
        page.gauge(
            "application_info", "One an application; what it is and how it stands.",
            statuses.map { status in
                let application = status.registered.application
                let (server, name): (String, String) =
                    switch application.destination.cluster {
                    case .server(let server): (server, "")
                    case .name(let name): ("", name)
                    }
                return (
                    [
                        "namespace": application.namespace, "name": application.name, "project": application.project,
                        "sync_status": status.sync.rawValue, "health_status": status.health.rawValue,
                        "auto_sync": application.syncPolicy.automated == nil ? "false" : "true",
                        "dest_server": server, "dest_name": name,
                        "dest_namespace": application.destination.namespace,
                        "repo": application.source.repository
                    ], 1
                )
            })
        let visible = Set(statuses.map(\.registered.uid))
        page.counter(
            "syncs_total", "Revisions by application, kind and outcome, since the server began.",
            snapshot.acts.filter { visible.contains($0.key.application) }.sorted { $0.key < $1.key }.map { act, count in
                (["name": act.name, "project": act.project, "kind": act.kind, "phase": act.outcome], Double(count))
            })
        page.gauge(
            "application_last_sync_timestamp_seconds", "When a sync or rollback last ended, since the server began.",
            statuses.compactMap { status in
                snapshot.lastSyncs[status.registered.uid].map {
                    (
                        ["name": status.registered.name, "project": status.registered.application.project],
                        Double($0) / 1000
                    )
                }
            })
        let syncs = ["sync", "rollback"].compactMap { kind in snapshot.actTimes[kind].map { (["kind": kind], $0) } }
        page.histogram("sync_duration_seconds", "How long syncs and rollbacks took.", syncs)
        page.histogram(
            "reconcile_duration_seconds", "How long reconciles took.",
            snapshot.actTimes["reconcile"].map { [([:], $0)] } ?? [])
    }

    private func requests(_ snapshot: Metrics.Snapshot, _ page: inout PrometheusPage) {
        page.counter(
            "http_requests_total", "Requests by route, method and status.",
            snapshot.requests.sorted { $0.key < $1.key }.map { request, count in
                (["route": request.route, "method": request.method, "code": String(request.code)], Double(count))
            })
        page.histogram(
            "http_request_duration_seconds", "Until the answer's head was ready.",
            snapshot.requestTimes.sorted { $0.key < $1.key }.map { (["route": $0.key], $0.value) })
        page.counter(
            "webhook_deliveries_total", "Deliveries by provider and what became of them.",
            snapshot.deliveries.sorted { $0.key < $1.key }.map { key, count in
                let words = key.split(separator: " ").map(String.init)
                return (["provider": words.first ?? "", "result": words.last ?? ""], Double(count))
            })
    }

    private func ledger(
        _ statuses: [ApplicationStatus], _ snapshot: Metrics.Snapshot, _ page: inout PrometheusPage
    ) async throws(Failure) {
        let statistics = try await call.ledger.statistics()
        page.gauge("log_head_seq", "The newest sequence.", [([:], Double(statistics.rows))])
        page.counter(
            "log_entries_total", "Events by kind, since the server began.",
            snapshot.events.sorted { $0.key < $1.key }.map { (["action": $0.key], Double($0.value)) })
        page.gauge("db_size_bytes", "Of the ledger's file.", [([:], Double(statistics.bytes))])
        page.gauge("db_wal_bytes", "Of its write-ahead log.", [([:], Double(statistics.walBytes))])
        page.gauge(
            "db_bytes_per_row", "Bytes of the file a sequence, everything included.", [([:], statistics.bytesPerRow)])
        page.gauge(
            "db_growth_bytes_per_day", "How much the newest rows say the file grows in a day.",
            [([:], statistics.bytesPerDay)])
        let names = Dictionary(
            statuses.map { ($0.registered.uid, $0.registered) }, uniquingKeysWith: { first, _ in first })
        let growth = statistics.growth.compactMap { growth in
            names[growth.application].map { registered in
                (["name": registered.name, "project": registered.application.project], growth)
            }
        }
        page.gauge(
            "application_growth_rows_per_day", "Rows of the log that an application adds in a day.",
            growth.map { ($0.0, $0.1.rowsPerDay) })
        page.gauge(
            "application_growth_bytes_per_day", "Bytes of entries that an application adds in a day.",
            growth.map { ($0.0, $0.1.bytesPerDay) })
        page.counter("db_commits_total", "Transactions of the writer.", [([:], Double(statistics.commits.commits))])
        page.counter("db_appends_total", "Rows those took.", [([:], Double(statistics.commits.appends))])
        page.gauge(
            "db_largest_group", "Rows of the largest transaction.", [([:], Double(statistics.commits.largestGroup))])
    }

    #if canImport(Glibc)
        private static let ownUsage = RUSAGE_SELF.rawValue
    #else
        private static let ownUsage = RUSAGE_SELF
    #endif

    /// Without the prefix, as every Prometheus client names them.
    private func process(_ page: inout PrometheusPage) {
        var usage = rusage()
        guard getrusage(Self.ownUsage, &usage) == 0 else { return }
        let seconds = { (time: timeval) in Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        page.counter(
            "process_cpu_seconds_total", "User and system time.",
            [([:], seconds(usage.ru_utime) + seconds(usage.ru_stime))], hasPrefix: false)
        page.gauge(
            "process_start_time_seconds", "When the server began.",
            [([:], Double(call.parts.startedAt.milliseconds) / 1000)], hasPrefix: false)
        // ru_maxrss is in KiB on Linux.
        page.gauge(
            "process_max_resident_memory_bytes", "The largest resident set so far.",
            [([:], Double(usage.ru_maxrss) * 1024)], hasPrefix: false)
    }
}

/// Writes the text format: families with help and type, each once, labels sorted and escaped.
struct PrometheusPage {
    typealias Sample = (labels: [String: String], value: Double)
    private(set) var text = ""

    mutating func gauge(_ name: String, _ help: String, _ samples: [Sample], hasPrefix: Bool = true) {
        family(hasPrefix ? "shiplog_" + name : name, "gauge", help, samples)
    }

    mutating func counter(_ name: String, _ help: String, _ samples: [Sample], hasPrefix: Bool = true) {
        family(hasPrefix ? "shiplog_" + name : name, "counter", help, samples)
    }

    private mutating func family(_ name: String, _ type: String, _ help: String, _ samples: [Sample]) {
        guard !samples.isEmpty else { return }
        head(name, type, help)
        for (labels, value) in samples { line(name, labels, value) }
    }

    mutating func histogram(_ name: String, _ help: String, _ samples: [(labels: [String: String], value: Histogram)]) {
        guard !samples.isEmpty else { return }
        let name = "shiplog_" + name
        head(name, "histogram", help)
        for (labels, histogram) in samples {
            for (bound, count) in zip(histogram.bounds, histogram.counts) {
                line(name + "_bucket", labels.merging(["le": Self.number(bound)]) { $1 }, Double(count))
            }
            line(name + "_bucket", labels.merging(["le": "+Inf"]) { $1 }, Double(histogram.count))
            line(name + "_sum", labels, histogram.sum)
            line(name + "_count", labels, Double(histogram.count))
        }
    }

    private mutating func head(_ name: String, _ type: String, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }

    private mutating func line(_ name: String, _ labels: [String: String], _ value: Double) {
        let list = labels.sorted { $0.key < $1.key }.map { "\($0.key)=\"\(Self.escaped($0.value))\"" }
        text += name + (list.isEmpty ? "" : "{" + list.joined(separator: ",") + "}") + " " + Self.number(value) + "\n"
    }

    static func escaped(_ text: String) -> String {
        var result = ""
        for character in text.unicodeScalars {
            switch character {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }

    static func number(_ value: Double) -> String {
        guard value.isFinite else { return value.isNaN ? "NaN" : value < 0 ? "-Inf" : "+Inf" }
        guard value.rounded() == value, value.magnitude < 9e15 else { return String(value) }
        return String(Int64(value))
    }
}

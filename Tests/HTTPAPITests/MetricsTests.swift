import HTTPAPI
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

@Suite("Metrics") struct MetricsTests {
    @Test("the page is in Prometheus' format and names what happened") func format() async throws {
        try await Site.run { site in
            try site.commit("hello")
            try await site.put("guestbook")
            try await site.look("guestbook")
            try await site.finish(try await site.boss.post(Site.api + "/applications/guestbook/sync", [:]))
            _ = try await site.client.get(Site.api + "/no/such/address")
            try await until("the sync is counted") {
                try await site.client.get("/metrics").text.contains("kind=\"sync\",name=\"guestbook\"")
            }
            let answer = try await site.client.get("/metrics")
            #expect(answer.header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8")
            let text = answer.text
            for line in [
                "shiplog_build_info{version=\"1.2.3\"} 1",
                "shiplog_syncs_total{kind=\"sync\",name=\"guestbook\",phase=\"succeeded\",project=\"default\"} 1",
                "shiplog_application_growth_rows_per_day{name=\"guestbook\",project=\"default\"}",
                "shiplog_application_growth_bytes_per_day{name=\"guestbook\",project=\"default\"}",
                "shiplog_http_requests_total{code=\"404\",method=\"GET\",route=\"none\"}",
                "shiplog_log_head_seq ", "shiplog_db_size_bytes ", "shiplog_db_growth_bytes_per_day ",
                "shiplog_sync_duration_seconds_bucket{kind=\"sync\",le=\"+Inf\"} 1", "process_cpu_seconds_total "
            ] {
                #expect(text.contains(line), "\(line) is missing in\n\(text)")
            }
            // Every family is announced once, before its samples; every sample is a name, labels and a number.
            var announced: [String] = []
            for line in text.split(separator: "\n") {
                if line.hasPrefix("# TYPE ") {
                    announced.append(String(line.split(separator: " ")[2]))
                } else if !line.hasPrefix("#") {
                    let name = line.prefix { $0 != "{" && $0 != " " }
                    #expect(announced.last.map { name.hasPrefix($0) } == true, "\(line)")
                    #expect(Double(line.split(separator: " ").last ?? "") != nil, "\(line)")
                }
            }
            #expect(Set(announced).count == announced.count)
        }
    }

    @Test("addresses and methods that strangers invent make no series") func bounded() async throws {
        try await Site.run { site in
            for index in 0..<20 {
                _ = try await site.client.send("X\(index)", "/invented/\(index)")
                _ = try await site.client.get(Site.api + "/applications/invented-\(index)")
            }
            let text = try await site.client.get("/metrics").text
            #expect(!text.contains("invented"))
            let series = text.split(separator: "\n").filter { $0.hasPrefix("shiplog_http_requests_total{") }
            #expect(series.count < 10, "\(series)")
        }
    }

    @Test("a token sees the metrics of its own applications; switched off, there are none") func reach() async throws {
        try await Site.run { site in
            try await site.put("mine")
            try await site.put("theirs")
            let client = site.client.signed(try await site.token(.viewer, applications: ["mine"]))
            let text = try await client.get("/metrics").text
            #expect(text.contains("name=\"mine\"") && !text.contains("theirs"))
        }
        try await Site.run(settings: { $0.metrics = false }) { site in
            let answer = try await site.client.get("/metrics")
            #expect(answer.status == 404)
        }
    }
}

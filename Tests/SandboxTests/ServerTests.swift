import Foundation
import Shiplog
import Testing

@testable import Sandbox

@Suite struct ServerTests {
    @Test("a watch sees additions, changes, what leaves its selector, and deletions, and resumes where it was")
    func watch() async throws {
        try await withSandbox { server, port in
            let wire = try Wire(port: port)
            wire.send("GET", configMaps + "?watch=true&labelSelector=a%3D1&allowWatchBookmarks=true")
            #expect(await eventually { await server.watchCount == 1 })
            func post(_ name: String, _ label: String) async throws -> String {
                try await Wire.exchange(
                    port, "POST", configMaps,
                    body: #"{"metadata":{"name":"\#(name)","labels":{"a":"\#(label)"}}}"#)
            }
            #expect(try await post("one", "1").hasPrefix("HTTP/1.1 201"))
            #expect(try await post("two", "2").hasPrefix("HTTP/1.1 201"))
            let live = try #require(await server.object(kind: "ConfigMap", namespace: "default", name: "one"))
            var changed = live
            changed.set("2", at: ["metadata", "labels", "a"])
            _ = try await Wire.exchange(port, "PUT", configMaps + "/one", body: changed.canonicalString)
            let seen = await wire.read { $0.contains("DELETED") }
            #expect(seen.contains(#""type":"ADDED""#))
            #expect(!seen.contains(#""name":"two""#))
            // Resumed after the first write, another watch sees the rest only.
            let resumed = try Wire(port: port)
            let version = live.at("metadata", "resourceVersion")?.string ?? ""
            resumed.send("GET", configMaps + "?watch=true&resourceVersion=\(version)")
            let rest = await resumed.read { $0.contains("MODIFIED") }
            #expect(rest.contains(#""name":"two""#) && rest.components(separatedBy: "ADDED").count == 2)
            // A client that goes away leaves nothing behind.
            _ = consume wire
            _ = consume resumed
            #expect(await eventually { await server.watchCount == 0 })
        }
    }

    @Test("a watch from a version that is gone is told 410, and one of a future version to wait")
    func expired() async throws {
        try await withSandbox { server, port in
            let before = await server.resourceVersion
            _ = try await Wire.exchange(port, "POST", configMaps, body: #"{"metadata":{"name":"one"}}"#)
            await server.forgetHistory()
            let gone = try await Wire.exchange(port, "GET", configMaps + "?watch=true&resourceVersion=\(before)")
            #expect(gone.hasPrefix("HTTP/1.1 410"))
            #expect(gone.contains(#""reason":"Expired""#))
            let future = try await Wire.exchange(port, "GET", configMaps + "?watch=true&resourceVersion=99999999")
            #expect(future.hasPrefix("HTTP/1.1 504"))
        }
    }

    @Test("a watch that asks for it begins with what is there and a bookmark, and ends at its time-out")
    func initialEvents() async throws {
        try await withSandbox { _, port in
            let seen = try await Wire.exchange(
                port, "GET",
                "/api/v1/namespaces?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
                    + "&allowWatchBookmarks=true&timeoutSeconds=1")
            #expect(seen.components(separatedBy: "ADDED").count == 4)
            #expect(seen.contains(#""k8s.io/initial-events-end":"true""#))
        }
    }

    @Test("tables and metadata come when asked for, protobuf does not")
    func forms() async throws {
        try await withSandbox { _, port in
            let table = try await Wire.exchange(
                port, "GET", "/api/v1/namespaces",
                headers: ["Accept: application/json;as=Table;v=v1;g=meta.k8s.io,application/json"])
            #expect(table.contains(#""kind":"Table""#) && table.contains(#""cells":["default","Active""#))
            let metadata = try await Wire.exchange(
                port, "GET", "/api/v1/namespaces",
                headers: ["Accept: application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"])
            #expect(metadata.contains("PartialObjectMetadataList") && !metadata.contains(#""status""#))
            let binary = try await Wire.exchange(
                port, "GET", "/api/v1/namespaces", headers: ["Accept: application/vnd.kubernetes.protobuf"])
            #expect(binary.hasPrefix("HTTP/1.1 406"))
            let fallback = try await Wire.exchange(
                port, "GET", "/api/v1/namespaces",
                headers: ["Accept: application/vnd.kubernetes.protobuf,application/json"])
            #expect(fallback.hasPrefix("HTTP/1.1 200"))
        }
    }

    @Test("without the token nothing is answered but the health checks, and a foreign Host nothing at all")
    func safety() async throws {
        let options = SandboxOptions(token: "s3cret", timeScale: 0.01)
        try await withSandbox(options) { server, port in
            #expect(try await Wire.exchange(port, "GET", "/healthz").hasSuffix("ok"))
            let path = "/api/v1/namespaces"
            #expect(try await Wire.exchange(port, "GET", path).hasPrefix("HTTP/1.1 401"))
            for wrong in ["Bearer s3cre", "Bearer", "Basic x", "Bearer s3crets", "Digest s3cret"] {
                let answer = try await Wire.exchange(port, "GET", path, headers: ["Authorization: " + wrong])
                #expect(answer.hasPrefix("HTTP/1.1 401"), "\(wrong)")
            }
            let good = "Authorization: Bearer s3cret"
            #expect(try await Wire.exchange(port, "GET", path, headers: [good]).hasPrefix("HTTP/1.1 200"))
            // What kubectl makes of the address in the kubeconfig.
            let basic = "Authorization: Basic " + Data("shiplog:s3cret".utf8).base64EncodedString()
            #expect(try await Wire.exchange(port, "GET", path, headers: [basic]).hasPrefix("HTTP/1.1 200"))
            for host in ["evil.example", "127.0.0.1.evil.example", "[::2]"] {
                let answer = try await Wire.exchange(port, "GET", path, headers: [good], host: host)
                #expect(answer.hasPrefix("HTTP/1.1 403"), "\(host)")
            }
            #expect(server.kubeconfig(server: "http://127.0.0.1:\(port)").contains("s3cret"))
        }
        let server = try SandboxServer()
        await #expect(throws: Failure.self) { try await server.run(host: "0.0.0.0") }
    }

    @Test("a body past 3 MiB, or one that is no JSON, is refused and the server goes on")
    func bodies() async throws {
        try await withSandbox { _, port in
            let big = String(repeating: "x", count: HTTPFront.maximumBody + 10)
            let answer = try await Wire.exchange(port, "POST", configMaps, body: #"{"data":{"a":"\#(big)"}}"#)
            #expect(answer.hasPrefix("HTTP/1.1 413"))
            for bad in ["{", "[]", "null", "\"x\"", #"{"metadata":[]}"#, #"{"metadata":{"name":5}}"#, #"{"data":5}"#] {
                let answer = try await Wire.exchange(port, "POST", configMaps, body: bad)
                #expect(answer.hasPrefix("HTTP/1.1 4"), "\(bad)")
            }
            let deep = String(repeating: "[", count: 100_000)
            #expect(try await Wire.exchange(port, "POST", configMaps, body: deep).hasPrefix("HTTP/1.1 400"))
            #expect(try await Wire.exchange(port, "GET", "/api/v1/namespaces").hasPrefix("HTTP/1.1 200"))
        }
    }

    @Test("an apply patch may be YAML")
    func yaml() async throws {
        try await withSandbox { server, port in
            let wire = try Wire(port: port)
            let body = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {a: b}\n"
            wire.send(
                "PATCH", configMaps + "/one?fieldManager=m",
                headers: [
                    "Content-Type: application/apply-patch+yaml", "Content-Length: \(body.utf8.count)",
                    "Connection: close", "", body
                ])
            #expect(await wire.read().hasPrefix("HTTP/1.1 201"))
            #expect(await server.object(kind: "ConfigMap", namespace: "default", name: "one")?["data"] == ["a": "b"])
        }
    }

    @Test("faults are played as told: refused, dropped, hung, and failed but persisted")
    func faults() async throws {
        try await withSandbox { server, port in
            await server.setFault(
                SandboxFault(.status(429, reason: "TooManyRequests", retryAfter: 2), count: 2) { method, path in
                    method == "GET" && path.hasPrefix("/version")
                })
            for _ in 0..<2 {
                let busy = try await Wire.exchange(port, "GET", "/version")
                #expect(busy.hasPrefix("HTTP/1.1 429") && busy.lowercased().contains("retry-after: 2"))
            }
            #expect(try await Wire.exchange(port, "GET", "/version").hasPrefix("HTTP/1.1 200"))
            await server.setFault(SandboxFault(.drop))
            #expect(try await Wire.exchange(port, "GET", "/version").isEmpty)
            await server.setFault(SandboxFault(.drop, persists: true))
            #expect(
                try await Wire.exchange(port, "POST", configMaps, body: #"{"metadata":{"name":"kept"}}"#).isEmpty)
            #expect(await server.object(kind: "ConfigMap", namespace: "default", name: "kept") != nil)
            await server.setFault(SandboxFault(.hang))
            let hung = try Wire(port: port, seconds: 1)
            hung.send("GET", "/version")
            #expect(await hung.read().isEmpty)
        }
    }

    @Test("a restarted sandbox shows every answered write, under the same cluster UID")
    func restart() async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("sandbox-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let file = directory.appendingPathComponent("cluster.jsonl").path
        let options = SandboxOptions(file: file, requiresToken: false, timeScale: 0.01)
        let (uid, version) = try await withSandbox(options) { server, port in
            _ = try await Wire.exchange(port, "POST", deployments, body: deployment().canonicalString)
            #expect(
                await eventually {
                    await server.object(group: "apps", kind: "Deployment", namespace: "default", name: "web")?
                        .at("status", "availableReplicas") == 2
                })
            _ = try await Wire.exchange(port, "POST", configMaps, body: #"{"metadata":{"name":"kept"}}"#)
            _ = try await Wire.exchange(port, "POST", configMaps, body: #"{"metadata":{"name":"gone"}}"#)
            _ = try await Wire.exchange(port, "DELETE", configMaps + "/gone")
            return (server.clusterUID, await server.resourceVersion)
        }
        let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        // Cut short by the end of the process: never answered, so never there.
        let handle = try #require(FileHandle(forWritingAtPath: file))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data(#"{"group":"","plural":"configmaps","na"#.utf8))
        try handle.close()
        try await withSandbox(options) { server, port in
            #expect(server.clusterUID == uid)
            #expect(await server.object(kind: "ConfigMap", namespace: "default", name: "kept") != nil)
            #expect(await server.object(kind: "ConfigMap", namespace: "default", name: "gone") == nil)
            #expect(await server.resourceVersion >= version)
            let second = #expect(throws: Failure.self) { try SandboxServer(options: options) }
            #expect(second?.message.contains("in use by another process") == true)
            _ = try await Wire.exchange(port, "DELETE", deployments + "/web")
            #expect(
                await eventually {
                    await server.object(group: "apps", kind: "Deployment", namespace: "default", name: "web") == nil
                })
        }
        try Data("{\"broken\n{}\n".utf8).write(to: URL(fileURLWithPath: file))
        let damaged = #expect(throws: Failure.self) { try SandboxServer(options: options) }
        #expect(damaged?.message.hasPrefix("line 1 of the sandbox's file") == true)
    }

    @Test("the journal is made anew when it has grown, and holds the same")
    func compaction() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("journal-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        var cluster = TestCluster()
        _ = cluster.state.takeChanges()
        var empty = ClusterState(seed: 1)
        var version: Int64 = 0
        do {
            var journal = try Journal(path: path, into: &empty)
            let text = String(repeating: "x", count: 100_000)
            for index in 0..<200 {
                let body = configMap(["a": text + String(index)])
                if index == 0 {
                    _ = try cluster.send("POST", configMaps, body)
                } else {
                    _ = try cluster.send("PUT", configMaps + "/settings", body)
                }
                try journal.append(cluster.state.takeChanges(), cluster.state)
            }
            version = cluster.state.version
        }
        let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
        #expect(size < 9 << 20)
        var restored = ClusterState(seed: 1)
        _ = try Journal(path: path, into: &restored)
        #expect(restored.version == version)
        #expect(restored.count == cluster.state.count)
        let key = ObjectKey(
            resource: GroupResource(group: "", plural: "configmaps"), namespace: "default", name: "settings")
        #expect(restored.object(key) == cluster.state.object(key))
    }

    @Test("the journal does not outgrow what is in it, however often the server is started")
    func compactionOverRestarts() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("journal-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        var cluster = TestCluster()
        _ = cluster.state.takeChanges()
        let text = String(repeating: "x", count: 100_000)
        for start in 0..<5 {
            var restored = ClusterState(seed: 1)
            var journal = try Journal(path: path, into: &restored)
            for index in 0..<60 {
                let body = configMap(["a": text + "\(start)-\(index)"])
                if start == 0, index == 0 {
                    _ = try cluster.send("POST", configMaps, body)
                } else {
                    _ = try cluster.send("PUT", configMaps + "/settings", body)
                }
                try journal.append(cluster.state.takeChanges(), cluster.state)
            }
        }
        let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
        #expect(size < 9 << 20)
    }
}

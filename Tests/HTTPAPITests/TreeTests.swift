import Foundation
import HTTPAPI
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

@Suite("Trees, events and logs") struct TreeTests {
    private let api = Site.api + "/applications/one"

    /// A pod below the application's ConfigMap's sibling: a Deployment it owns, with a ReplicaSet and a Pod.
    private func grow(_ site: Site) async throws {
        try site.write(
            "app/web.yaml",
            """
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: web}
            spec:
              selector: {matchLabels: {app: web}}
              template:
                metadata: {labels: {app: web}}
                spec: {containers: [{name: web, image: 'web:1'}]}

            """)
        try site.commit("hello")
        try await site.put("one")
        try await site.look("one")
        _ = try await site.finish(try await site.boss.post(api + "/sync", [:]))
        try await site.look("one")
        let web = ResourceKey(group: "apps", kind: "Deployment", namespace: "one", name: "web")
        let uid = try #require(await site.cluster.object(web)?.uid)
        try await site.cluster.put(Self.below("apps/v1", "ReplicaSet", "web-1", uid: "u-rs", owner: uid))
        try await site.cluster.put(Self.below("v1", "Pod", "web-1-a", uid: "u-pod", owner: "u-rs"))
        try await site.cluster.put(Self.below("v1", "Pod", "stranger", uid: "u-else", owner: "nobody"))
    }

    private static func below(
        _ apiVersion: String, _ kind: String, _ name: String, uid: String, owner: String
    ) throws -> Resource {
        try Resource([
            "apiVersion": .string(apiVersion), "kind": .string(kind),
            "metadata": [
                "name": .string(name), "namespace": "one", "uid": .string(uid),
                "ownerReferences": [["uid": .string(owner), "controller": true]]
            ],
            "spec": ["containers": [["name": "web", "image": "web:1"]]], "status": ["phase": "Running"]
        ])
    }

    @Test("the tree has what owner references lead to, and nothing else") func tree() async throws {
        try await Site.run { site in
            try await grow(site)
            let tree = try await site.boss.get(api + "/tree").json
            let web = tree["items"]?.array?.first { $0["name"] == "web" }
            let set = web?["children"]?.array?.first
            #expect(set?["name"] == "web-1")
            #expect(set?["children"]?.array?.map { $0["name"]?.string } == ["web-1-a"])
            #expect(set?["children"]?.array?.first?["images"] == ["web:1"])
            #expect(!tree.canonicalString.contains("stranger"))
            let small = try await site.boss.get(api + "/tree?limit=2").json
            #expect(small["omitted"]?.integer ?? 0 > 0)
        }
    }

    @Test("a kind that may not be listed is named, and the rest of the tree is there") func unread() async throws {
        try await Site.run { site in
            try await grow(site)
            await site.cluster.fail(
                .list, named: "Pod", .failedNotPersisted(Failure(.clusterForbidden, "pods are forbidden")))
            let tree = try await site.boss.get(api + "/tree").json
            #expect(tree["unread"]?.array?.first?["kind"] == "Pod")
            #expect(tree["unread"]?.array?.first?["code"] == "cluster.forbidden")
            #expect(tree.canonicalString.contains("web-1"))
        }
    }

    @Test("a log is for deployers, of pods in the tree, and passed through as it is") func logs() async throws {
        try await Site.run { site in
            try await grow(site)
            await site.cluster.say("first\nsecond without an end")
            let viewer = site.client.signed(try await site.token(.viewer))
            let deployer = site.client.signed(try await site.token(.deployer))
            #expect(try await viewer.get(api + "/resources/logs").status == 403)
            #expect(try await site.client.get(api + "/resources/logs").status == 401)
            let answer = try await deployer.get(
                api + "/resources/logs?kind=deployment&resource=web&tailLines=7&container=web&previous=true")
            #expect(answer.status == 200)
            #expect(answer.body == Array("first\nsecond without an end".utf8))
            let asked = try #require(await site.cluster.questions.last)
            #expect(asked.tailLines == 7 && asked.container == "web" && asked.previous && !asked.follow)
            let stranger = try await deployer.get(api + "/resources/logs?kind=Pod&resource=stranger")
            #expect(stranger.status == 404)
            #expect(stranger.json["code"] == "resource.unknown")
            let none = try await deployer.get(api + "/resources/logs?kind=ConfigMap&resource=greeting")
            #expect(none.json["code"] == "resource.no-pod")
        }
    }

    @Test("events are those of the tree's resources, and whoever reads may see them") func events() async throws {
        try await Site.run { site in
            try await grow(site)
            for (name, uid) in [("a", "u-pod"), ("b", "u-else")] {
                try await site.cluster.put(
                    Resource([
                        "apiVersion": "v1", "kind": "Event",
                        "metadata": ["name": .string(name), "namespace": "one", "uid": .string("e-" + name)],
                        "involvedObject": [
                            "uid": .string(uid), "kind": "Pod", "name": "web-1-a", "namespace": "one",
                            "apiVersion": "v1"
                        ],
                        "reason": "BackOff", "message": "Back-off pulling", "type": "Warning", "count": 3,
                        "lastTimestamp": "2026-11-20T10:00:00Z"
                    ]))
            }
            let viewer = site.client.signed(try await site.token(.viewer))
            for query in ["", "?kind=Pod&resource=web-1-a"] {
                let items = try await viewer.get(api + "/resources/events" + query).json["items"]?.array ?? []
                #expect(items.count == 1)
                #expect(items.first?["reason"] == "BackOff")
                #expect(items.first?["count"] == 3)
                #expect(items.first?.at("resource", "name") == "web-1-a")
            }
        }
    }
}

extension Site {
    func write(_ path: String, _ text: String) throws {
        let file = URL(filePath: repository + "/" + path)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try text.write(to: file, atomically: true, encoding: .utf8)
    }
}

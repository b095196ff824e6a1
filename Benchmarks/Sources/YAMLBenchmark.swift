import Foundation
import Manifests

/// A multi-document stream to resources, against libyaml's bare event scan of the same bytes. `Benchmarks/yaml_peer.py`
/// reads the same file with PyYAML's C loader.
enum YAMLBenchmark {
    static func run(file: String?) throws {
        let bytes = sample()
        if let file { try Data(bytes).write(to: URL(fileURLWithPath: file)) }
        var documents = 0
        let read = try best(of: 7) { documents = try YAML.read(bytes, file: "sample.yaml").count }
        let scan = try best(of: 7) { _ = try YAML.scan(bytes) }
        report(
            "yaml: \(documents) documents, \(bytes.count / 1000) kB, MB/s", format(Double(bytes.count) / read / 1e6, 1))
        report(
            "yaml: read / libyaml's bare event scan (speed)", format(scan / read), goal: ">= 0.5",
            met: scan / read >= 0.5)
        print("yaml-seconds \(read)")
    }

    /// About two megabytes of what repositories hold: Deployments, Services and ConfigMaps.
    static func sample() -> [UInt8] {
        var text = ""
        var index = 0
        while text.utf8.count < 2_000_000 {
            index += 1
            text += """
                apiVersion: apps/v1
                kind: Deployment
                metadata:
                  name: service-\(index)
                  namespace: team-\(index % 17)
                  labels: {app.kubernetes.io/name: service-\(index), tier: backend}
                spec:
                  replicas: \(index % 7 + 1)
                  selector:
                    matchLabels:
                      app.kubernetes.io/name: service-\(index)
                  template:
                    metadata:
                      labels:
                        app.kubernetes.io/name: service-\(index)
                    spec:
                      containers:
                        - name: main
                          image: "registry.example.com/team/service-\(index):1.\(index).0"
                          args: ["--port", "8080", '--level=info']
                          ports:
                            - containerPort: 8080
                              name: http
                          resources:
                            requests: {cpu: 100m, memory: 128Mi}
                            limits: {cpu: "1", memory: 512Mi}
                          env:
                            - name: GREETING
                              value: hello \(index)
                            - name: ENABLED
                              value: "true"
                ---
                apiVersion: v1
                kind: Service
                metadata:
                  name: service-\(index)
                spec:
                  selector: {app.kubernetes.io/name: service-\(index)}
                  ports:
                    - port: 80
                      targetPort: http
                ---
                apiVersion: v1
                kind: ConfigMap
                metadata:
                  name: config-\(index)
                data:
                  settings.ini: |
                    [server]
                    port = 8080
                    greeting = hello \(index)
                  level: info
                ---

                """
        }
        return Array(text.utf8)
    }
}

import Foundation
import GitSource
import Synchronization
import Testing

/// A Git server on 127.0.0.1 and a port of the system's choice: Git's own `http-backend` or `daemon` behind a few lines of
/// Python. Ended with the last reference.
final class GitServer: Sendable {
    let port: Int

    enum Kind: String { case http, git }

    /// What its thread and its maker share.
    private final class Shared: Sendable {
        let words = Mutex("")
        let ended = Mutex(false)
        let said = DispatchSemaphore(value: 0)
    }

    private let shared = Shared()

    /// - Parameter authorization: the header's value that is asked for, e.g. `Basic …`; nil for none.
    init(_ kind: Kind, root: String, authorization: String? = nil) throws {
        let child = ChildProcess(
            program: "/usr/bin/env",
            arguments: ["python3", "-c", Self.program, kind.rawValue, root, authorization ?? ""],
            environment: Command.environment, directory: root, silence: .seconds(900), total: .seconds(900))
        let shared = shared
        Thread.detachNewThread {
            _ = child.run(
                shouldStop: { shared.ended.withLock { $0 } },
                progress: { bytes in
                    shared.words.withLock { $0 += String(decoding: bytes, as: UTF8.self) }
                    shared.said.signal()
                })
            shared.said.signal()
        }
        var words = ""
        while !words.contains("\n"), shared.said.wait(timeout: .now() + 60) == .success {
            let before = words
            words = shared.words.withLock { $0 }
            if words == before { break }
        }
        port = try #require(
            words.split(separator: "\n").first.flatMap { Int($0) }, "the server did not start: \(words)")
    }

    deinit { shared.ended.withLock { $0 = true } }

    /// What was asked, with the authorization where there was one, as lines in `root/requests`; nothing is answered while `root/hold` exists.
    private static let program = #"""
        import base64, http.server, os, socketserver, subprocess, sys, threading, time
        kind, root, wanted = sys.argv[1:4]
        parent = os.getppid()
        def watch():
            # The server ends with the tests, should they end before they end it.
            while os.getppid() == parent: time.sleep(0.5)
            os._exit(0)
        threading.Thread(target=watch, daemon=True).start()

        class Web(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            def log_message(self, *a): pass
            def body(self):
                if self.headers.get("Transfer-Encoding", "") == "chunked":
                    data = b""
                    while True:
                        size = int(self.rfile.readline().split(b";")[0], 16)
                        data += self.rfile.read(size)
                        self.rfile.readline()
                        if size == 0: return data
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            def answer(self, status, headers, data):
                self.send_response(status)
                for name, value in headers: self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
            def do_GET(self):
                body = self.body()
                given = self.headers.get("Authorization", "")
                with open(root + "/requests", "a") as log: log.write(f"{self.command} {self.path} {given}\n")
                while os.path.exists(root + "/hold"): time.sleep(0.02)
                path, _, query = self.path.partition("?")
                parts = path.split("/")
                if parts[1] == "status": return self.answer(int(parts[2]), [], b"no")
                if parts[1] == "redirect": return self.answer(302, [("Location", "/" + "/".join(parts[2:]) + "?" + query)], b"")
                if parts[1] == "silent": threading.Event().wait()
                if parts[1] == "garbage": return self.answer(200, [("Content-Type", "text/html")], b"<html>hello</html>" * 100)
                if wanted and given != wanted: return self.answer(401, [("WWW-Authenticate", 'Basic realm="git"')], b"")
                env = dict(os.environ, GIT_PROJECT_ROOT=root, GIT_HTTP_EXPORT_ALL="1", PATH_INFO=path, QUERY_STRING=query,
                    REQUEST_METHOD=self.command, CONTENT_TYPE=self.headers.get("Content-Type", ""), REMOTE_ADDR="127.0.0.1",
                    GIT_PROTOCOL=self.headers.get("Git-Protocol", ""), HTTP_CONTENT_ENCODING=self.headers.get("Content-Encoding", ""),
                    CONTENT_LENGTH=str(len(body)))
                out = subprocess.run(["git", "http-backend"], input=body, env=env, stdout=subprocess.PIPE).stdout
                head, _, data = out.partition(b"\r\n\r\n")
                status, headers = 200, []
                for line in head.decode().split("\r\n"):
                    name, _, value = line.partition(": ")
                    if name == "Status": status = int(value.split()[0])
                    elif name: headers.append((name, value))
                self.answer(status, headers, data)
            do_POST = do_GET

        class Daemon(socketserver.BaseRequestHandler):
            def handle(self):
                subprocess.run(["git", "daemon", "--inetd", "--export-all", "--base-path=" + root], stdin=self.request, stdout=self.request)

        class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
            daemon_threads = True
            request_queue_size = 64
        server = Server(("127.0.0.1", 0), Web if kind == "http" else Daemon)
        print(server.server_address[1], file=sys.stderr, flush=True)
        server.serve_forever()
        """#
}

/// A port that takes connections and never says anything.
final class SilentServer: Sendable {
    private let descriptor: Int32
    let port: Int

    init() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.descriptor = descriptor
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, length) == 0 && listen(descriptor, 64) == 0
                    && getsockname(descriptor, address, &length) == 0
            }
        }
        try #require(bound)
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    deinit { close(descriptor) }
}

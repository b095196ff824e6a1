import Foundation
import Testing

/// A Git server on 127.0.0.1 and a port of the system's choice: Git's own `http-backend` or `daemon` behind a few lines of
/// Python. Ended with the last reference.
final class GitServer: @unchecked Sendable {
    // Unchecked because Process is not Sendable; nothing changes it between `init` and `deinit`.
    private let process: Process
    private let input = Pipe()
    let port: Int

    enum Kind: String { case http, git }

    /// - Parameter authorization: the header's value that is asked for, e.g. `Basic …`; nil for none.
    init(_ kind: Kind, root: String, authorization: String? = nil) throws {
        process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", Self.program, kind.rawValue, root, authorization ?? ""]
        process.environment = Command.environment
        let output = Pipe()
        process.standardOutput = output
        // The server ends when this pipe does, should the tests end before they end it.
        process.standardInput = input
        try process.run()
        var line = Data()
        while let byte = try output.fileHandleForReading.read(upToCount: 1), !byte.isEmpty, byte != Data("\n".utf8) {
            line.append(byte)
        }
        port = try #require(Int(String(decoding: line, as: UTF8.self)))
    }

    deinit {
        // Not `terminate`: a child inherits the signals its maker's thread blocks, and may never see a SIGTERM.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// What was asked, with the authorization where there was one, as lines in `root/requests`.
    private static let program = #"""
        import base64, http.server, os, socketserver, subprocess, sys, threading
        kind, root, wanted = sys.argv[1:4]
        def watch():
            sys.stdin.read()
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
        print(server.server_address[1], flush=True)
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

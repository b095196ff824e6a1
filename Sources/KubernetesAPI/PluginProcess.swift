// Optimised builds count `sigset_t` among what curl's headers bring.
import CCurl
import Shiplog

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Runs a credential plugin: argument array, no shell, a process group of its own, a deadline, bounded output.
enum PluginProcess {
    private static let maximumOutput = 1 << 20

    /// What it printed.
    /// - Throws: `cluster.credential-plugin`.
    static func run(_ plugin: ExecPlugin, environment: [String: String]) async throws(Failure) -> [UInt8] {
        let result = await withCheckedContinuation {
            (continuation: CheckedContinuation<Result<[UInt8], Failure>, Never>) in
            // A thread of its own: it waits, and the tasks' threads must not.
            let started = startThread {
                do throws(Failure) {
                    continuation.resume(returning: .success(try wait(plugin, environment)))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
            if !started {
                continuation.resume(
                    returning: .failure(ExecCredential.failure(plugin, "cannot be run: no thread left")))
            }
        }
        return try result.get()
    }

    private static func wait(_ plugin: ExecPlugin, _ extra: [String: String]) throws(Failure) -> [UInt8] {
        var pipes: (read: Int32, write: Int32) = (-1, -1)
        guard makePipe(&pipes) else { throw ExecCredential.failure(plugin, "cannot be run: no descriptor left") }
        var process: pid_t = 0
        let code = spawn(plugin, extra, output: pipes.write, &process)
        close(pipes.write)
        defer { close(pipes.read) }
        guard code == 0 else {
            throw ExecCredential.failure(plugin, "cannot be run: \(String(cString: strerror(code)))")
        }
        let deadline = ContinuousClock.now + .milliseconds(plugin.timeoutMilliseconds)
        let output = collect(pipes.read, until: deadline)
        // It has closed its output or run out of time or bounds: now wait for its end, still under the deadline.
        var status: Int32 = 0
        var isOver = false
        while output != nil, ContinuousClock.now < deadline {
            if waitpid(process, &status, WNOHANG) == process {
                isOver = true
                break
            }
            usleep(2000)
        }
        if !isOver {
            kill(-process, SIGKILL)
            while waitpid(process, &status, 0) < 0, errno == EINTR {}
        }
        guard let output, isOver else {
            throw ExecCredential.failure(
                plugin, "did not end within \(plugin.timeoutMilliseconds) ms with at most \(maximumOutput) bytes")
        }
        guard status == 0 else {
            let exit = status & 0x7F == 0 ? "exit status \((status >> 8) & 0xFF)" : "signal \(status & 0x7F)"
            throw ExecCredential.failure(plugin, "failed with \(exit)")
        }
        return output
    }

    /// nil past the deadline or the bound.
    private static func collect(_ descriptor: Int32, until deadline: ContinuousClock.Instant) -> [UInt8]? {
        var output: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let left = deadline - .now
            guard left > .zero else { return nil }
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, Int32(clamping: Int64(left / .milliseconds(1)) + 1)) > 0 else { continue }
            let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            if count == 0 { return output }
            if count < 0 {
                if errno == EINTR { continue }
                return nil
            }
            output.append(contentsOf: buffer.prefix(count))
            guard output.count <= maximumOutput else { return nil }
        }
    }

    private static func makePipe(_ pipes: inout (read: Int32, write: Int32)) -> Bool {
        var both: [Int32] = [-1, -1]
        guard both.withUnsafeMutableBufferPointer({ pipe($0.baseAddress) }) == 0 else { return false }
        pipes = (both[0], both[1])
        // Between pipe() and here another thread may fork; the worst is that its child holds our pipe open until it
        // ends, and the deadline bounds that.
        _ = fcntl(pipes.read, F_SETFD, FD_CLOEXEC)
        _ = fcntl(pipes.write, F_SETFD, FD_CLOEXEC)
        return true
    }

    private static func spawn(
        _ plugin: ExecPlugin, _ extra: [String: String], output: Int32, _ process: inout pid_t
    ) -> Int32 {
        #if canImport(Darwin)
            var actions: posix_spawn_file_actions_t?
            var attributes: posix_spawnattr_t?
        #else
            var actions = posix_spawn_file_actions_t()
            var attributes = posix_spawnattr_t()
        #endif
        guard posix_spawn_file_actions_init(&actions) == 0 else { return ENOMEM }
        defer { posix_spawn_file_actions_destroy(&actions) }
        guard posix_spawnattr_init(&attributes) == 0 else { return ENOMEM }
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        // What it says on the error stream is for a person at a terminal and may hold the credential.
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))

        var variables = ownEnvironment()
        for (name, value) in extra { variables[name] = value }
        let arguments = ([plugin.command] + plugin.arguments).map { strdup($0) } + [nil]
        let environment = variables.map { strdup($0.key + "=" + $0.value) } + [nil]
        defer {
            for pointer in arguments { free(pointer) }
            for pointer in environment { free(pointer) }
        }
        return posix_spawnp(&process, plugin.command, &actions, &attributes, arguments, environment)
    }

    private static func ownEnvironment() -> [String: String] {
        var result: [String: String] = [:]
        var entry = environ
        while let text = entry.pointee {
            let parts = String(cString: text).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { result[String(parts[0])] = String(parts[1]) }
            entry += 1
        }
        return result
    }
}

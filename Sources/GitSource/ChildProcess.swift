import CLibgit2
import Glibc

/// One child program, run to its end on the thread that calls: an argument array, an environment of its own, its own
/// process group, two deadlines, and a bound on what it may print.
///
/// Foundation's `Process` is not used: it hands the child every open descriptor without close-on-exec, has no process
/// group, and so cannot end what the child started (`git` starts `git-remote-https`, `ssh`, `index-pack`). It was also
/// seen to read past a buffer in `run()` when some thousand descriptors are open.
public struct ChildProcess: Sendable {
    /// The program's absolute path.
    public var program: String
    /// What follows the program's name.
    public var arguments: [String]
    /// All of its environment; nothing is inherited.
    public var environment: [String: String]
    /// Where it starts.
    public var directory: String
    /// Killed after so long without a byte on either stream.
    public var silence: Duration
    /// Killed after so long.
    public var total: Duration
    /// The largest file it may write, in bytes.
    public var fileSize: UInt64
    /// Killed when it prints more bytes than this on its standard output.
    public var outputLimit = 64 << 20
    /// The file it reads on its standard input.
    public var input = "/dev/null"

    /// A child that is started by `run`.
    public init(
        program: String, arguments: [String], environment: [String: String], directory: String,
        silence: Duration = .seconds(60), total: Duration = .seconds(600), fileSize: UInt64 = 1 << 30
    ) {
        self.program = program
        self.arguments = arguments
        self.environment = environment
        self.directory = directory
        self.silence = silence
        self.total = total
        self.fileSize = fileSize
    }

    /// How it ended.
    public enum Ending: Equatable, Sendable {
        /// With an exit status, 0…255.
        case exited(Int32)
        /// By a signal that we did not send.
        case signalled(Int32)
        /// We ended it: it was silent for too long, or took too long.
        case silent, late
        /// We ended it: it printed too much.
        case tooMuch
        /// We ended it: nobody waits for it any more.
        case stopped
        /// The system refused to start it; its `errno`.
        case notStarted(Int32)
    }

    /// How it ended and what it printed.
    public struct Outcome: Sendable {
        /// How it ended.
        public var ending: Ending
        /// Its standard output.
        public var output: [UInt8] = []
        /// The last 16 KiB of its standard error.
        public var errors: [UInt8] = []
        /// The exit status, 0…255; nil when it ended otherwise.
        public var status: Int32? {
            if case .exited(let status) = ending { status } else { nil }
        }
    }

    /// Runs it. Blocks.
    ///
    /// - Parameters:
    ///   - shouldStop: asked ten times a second; true ends the child and all it started.
    ///   - progress: given what it prints on its standard error, as it comes.
    public func run(shouldStop: () -> Bool = { false }, progress: ([UInt8]) -> Void = { _ in }) -> Outcome {
        guard let outputPipe = Pipe(), let errorPipe = Pipe() else { return Outcome(ending: .notStarted(errno)) }
        defer {
            outputPipe.close()
            errorPipe.close()
        }
        var child: pid_t = 0
        let status = spawn(&child, output: outputPipe.write, errors: errorPipe.write)
        guard status == 0 else { return Outcome(ending: .notStarted(status)) }
        _ = shiplog_limit_child(child, fileSize)
        outputPipe.closeWrite()
        errorPipe.closeWrite()
        var outcome = watch(child, outputPipe, errorPipe, shouldStop, progress)
        // Whatever it left running in its group ends with it. The group's number is still its own: it is not reaped yet.
        kill(-child, SIGKILL)
        let ended = reap(child)
        if case .exited = outcome.ending { outcome.ending = ended }
        return outcome
    }

    private func spawn(_ child: inout pid_t, output: Int32, errors: Int32) -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, errors, 2)
        _ = shiplog_close_from(&actions, 3)
        _ = shiplog_start_in(&actions, directory)

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A group of its own, and no signal blocked or ignored because the server blocks or ignores it.
        var none = sigset_t()
        var all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        var argv: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] =
            environment.sorted { $0.key < $1.key }.map { strdup($0.key + "=" + $0.value) } + [nil]
        defer { for text in argv + envp { free(text) } }
        return posix_spawn(&child, program, &actions, &attributes, &argv, &envp)
    }

    private func watch(
        _ child: pid_t, _ output: Pipe, _ errors: Pipe, _ shouldStop: () -> Bool, _ progress: ([UInt8]) -> Void
    ) -> Outcome {
        var outcome = Outcome(ending: .exited(0))
        let started = ContinuousClock.now
        var heard = started
        var asked = false
        var deadline = started
        var openOutput = true
        var openErrors = true
        while true {
            let now = ContinuousClock.now
            if asked {
                // It was asked to end: the group has two seconds to clean up behind itself.
                if now >= deadline || hasEnded(child) { return outcome }
            } else if hasEnded(child) {
                // What is still in the pipes belongs to the answer; a grandchild that keeps them open does not.
                drain(output, into: &outcome.output, limit: outputLimit)
                drain(errors, into: &outcome.errors, limit: .max)
                keepTail(&outcome.errors)
                if outcome.output.count > outputLimit { outcome.ending = .tooMuch }
                return outcome
            } else {
                let ending: Ending? =
                    if shouldStop() { .stopped } else if now - started >= total { .late } else if now - heard >= silence
                    {
                        .silent
                    } else if outcome.output.count > outputLimit { .tooMuch } else { nil }
                if let ending {
                    outcome.ending = ending
                    asked = true
                    deadline = now + .seconds(2)
                    kill(-child, SIGTERM)
                }
            }
            guard openOutput || openErrors else {
                usleep(500)
                continue
            }
            var polled = [
                pollfd(fd: openOutput ? output.read : -1, events: Int16(POLLIN), revents: 0),
                pollfd(fd: openErrors ? errors.read : -1, events: Int16(POLLIN), revents: 0)
            ]
            let ready = poll(&polled, 2, asked ? 10 : 100)
            guard ready > 0 else { continue }
            if polled[0].revents != 0 {
                let before = outcome.output.count
                openOutput = drain(output, into: &outcome.output, limit: outputLimit)
                if outcome.output.count != before { heard = .now }
            }
            if polled[1].revents != 0 {
                var new: [UInt8] = []
                openErrors = drain(errors, into: &new, limit: 1 << 20)
                if !new.isEmpty {
                    heard = .now
                    progress(new)
                    outcome.errors += new
                    keepTail(&outcome.errors)
                }
            }
        }
    }

    private func keepTail(_ bytes: inout [UInt8]) {
        if bytes.count > 16 << 10 { bytes.removeFirst(bytes.count - 16 << 10) }
    }

    /// Reads what is there now. False when the other end is closed.
    @discardableResult
    private func drain(_ pipe: Pipe, into bytes: inout [UInt8], limit: Int) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count <= limit {
            let count = Glibc.read(pipe.read, &chunk, chunk.count)
            if count > 0 {
                bytes += chunk[..<count]
            } else if count == 0 {
                return false
            } else if errno != EINTR {
                return errno == EAGAIN
            }
        }
        return true
    }

    /// Whether it has ended, without taking its number away yet.
    private func hasEnded(_ child: pid_t) -> Bool {
        var information = siginfo_t()
        let status = waitid(P_PID, id_t(child), &information, WEXITED | WNOHANG | WNOWAIT)
        return status == 0 ? information.si_signo == SIGCHLD : errno == ECHILD
    }

    private func reap(_ child: pid_t) -> Ending {
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0 {
            guard errno == EINTR else { return .notStarted(errno) }
        }
        let signal = status & 0x7F
        return signal == 0 ? .exited((status >> 8) & 0xFF) : .signalled(signal)
    }
}

/// A pipe whose read end never blocks; both ends are closed by exec.
private final class Pipe {
    let read: Int32
    private(set) var write: Int32

    init?() {
        var ends: [Int32] = [-1, -1]
        guard shiplog_pipe(&ends, O_CLOEXEC) == 0 else { return nil }
        (read, write) = (ends[0], ends[1])
        _ = fcntl(read, F_SETFL, O_NONBLOCK)
    }

    func closeWrite() {
        if write >= 0 { Glibc.close(write) }
        write = -1
    }

    func close() {
        closeWrite()
        Glibc.close(read)
    }
}

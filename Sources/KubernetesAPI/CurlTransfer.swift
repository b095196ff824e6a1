import CCurl
import Shiplog

/// One transfer: its easy handle and what has arrived. Lives on the loop's thread only.
final class CurlTransfer {
    enum Sink {
        case whole(CheckedContinuation<Result<HTTPResponse, TransportError>, Never>)
        case lines(LineStream)
    }

    let id: UInt64
    let handle: UnsafeMutableRawPointer
    private let sink: Sink
    private let maximumBodyBytes: Int
    private var headerList: UnsafeMutablePointer<curl_slist>?
    private var routeList: UnsafeMutablePointer<curl_slist>?
    private let errorText: UnsafeMutablePointer<CChar>
    private var headers: [(name: String, value: String)] = []
    private var headerBytes = 0
    private var body: [UInt8] = []
    /// Set when we, not libcurl, refuse to go on.
    private var refusal: TransportError?

    init?(_ id: UInt64, sink: Sink, maximumBodyBytes: Int) {
        guard let handle = curl_easy_init() else { return nil }
        self.id = id
        self.handle = handle
        self.sink = sink
        self.maximumBodyBytes = maximumBodyBytes
        errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    }

    deinit {
        curl_easy_cleanup(handle)
        curl_slist_free_all(headerList)
        curl_slist_free_all(routeList)
        errorText.deallocate()
    }

    // MARK: Setting up

    /// Sets every option. `timeout` is what is left of the request's, in milliseconds.
    func prepare(_ request: HTTPRequest, timeout: Int, isStream: Bool) throws(TransportError) {
        let address: HTTPAddress
        do throws(Failure) {
            address = try HTTPAddress(request.url)
        } catch {
            throw TransportError(.invalidRequest, error.message)
        }
        try setAddress(request, address)
        try setHeaders(request, address)
        try setMethod(request)
        try setTrust(request.tls)
        try setLimits(request, timeout: timeout, isStream: isStream)
        let context = Unmanaged.passUnretained(self).toOpaque()
        try check(shiplog_curl_set_writer(handle, receiveBody, context))
        try check(shiplog_curl_set_header_reader(handle, receiveHeader, context))
        try check(shiplog_curl_set_pointer(handle, CURLOPT_PRIVATE, context))
        try check(shiplog_curl_set_pointer(handle, CURLOPT_ERRORBUFFER, errorText))
    }

    private func setAddress(_ request: HTTPRequest, _ address: HTTPAddress) throws(TransportError) {
        var url = request.url
        if address.isSecure, let name = request.tls.serverName, name != address.host {
            // libcurl takes the name to verify from the URL: so the URL names it, and the route leads to the real host.
            guard !name.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !"/:@?#[]".utf8.contains($0) }) else {
                throw TransportError(.invalidRequest, "the TLS server name is not a host name")
            }
            url = "https://\(name):\(address.port)\(address.path)"
            routeList = curl_slist_append(nil, "\(name):\(address.port):\(address.host):\(address.port)")
            try check(shiplog_curl_set_list(handle, CURLOPT_CONNECT_TO, routeList))
        }
        try set(CURLOPT_URL, url)
        try set(CURLOPT_PROTOCOLS_STR, "http,https")
        try set(CURLOPT_FOLLOWLOCATION, 0)
        // The empty string means "none" and hides the environment's; so does an empty exception list.
        try set(CURLOPT_PROXY, request.proxy ?? "")
        try set(CURLOPT_NOPROXY, "")
    }

    private func setHeaders(_ request: HTTPRequest, _ address: HTTPAddress) throws(TransportError) {
        // An empty Expect keeps libcurl from waiting a second for "100 Continue" before a larger body.
        var lines = ["Expect:"]
        if request.tls.serverName != nil { lines.append("Host: " + address.authority) }
        if request.body == nil { lines.append("Content-Type:") }
        for (name, value) in request.headers {
            let isName = !name.isEmpty && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ":") }
            guard isName, value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
                throw TransportError(.invalidRequest, "a header holds a control character")
            }
            lines.append(value.isEmpty ? name + ";" : name + ": " + value)
        }
        for line in lines {
            guard let longer = curl_slist_append(headerList, line) else {
                throw TransportError(.busy, "out of memory")
            }
            headerList = longer
        }
        try check(shiplog_curl_set_list(handle, CURLOPT_HTTPHEADER, headerList))
    }

    private func setMethod(_ request: HTTPRequest) throws(TransportError) {
        guard !request.method.isEmpty, request.method.utf8.allSatisfy({ (0x41...0x5A).contains($0) }) else {
            throw TransportError(.invalidRequest, "the method is not a word of capital letters")
        }
        if let body = request.body, !body.isEmpty {
            try check(body.withUnsafeBytes { shiplog_curl_set_body(handle, $0.baseAddress, $0.count) })
        } else if request.method == "HEAD" {
            try set(CURLOPT_NOBODY, 1)
        } else if request.body != nil || request.method == "POST" || request.method == "PUT"
            || request.method == "PATCH"
        {
            try check(shiplog_curl_set_body(handle, "", 0))
        }
        try set(CURLOPT_CUSTOMREQUEST, request.method)
    }

    private func setTrust(_ tls: TLSSettings) throws(TransportError) {
        try set(CURLOPT_SSL_VERIFYPEER, tls.skipsVerification ? 0 : 1)
        try set(CURLOPT_SSL_VERIFYHOST, tls.skipsVerification ? 0 : 2)
        try set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        if let authorities = tls.authorities {
            try setBlob(CURLOPT_CAINFO_BLOB, authorities)
            // The blob replaces the system's file but not its directory, which would still be trusted.
            try check(shiplog_curl_set_string(handle, CURLOPT_CAPATH, nil))
        }
        if let certificate = tls.certificate {
            try set(CURLOPT_SSLCERTTYPE, "PEM")
            try setBlob(CURLOPT_SSLCERT_BLOB, certificate)
        }
        if let key = tls.key {
            try set(CURLOPT_SSLKEYTYPE, "PEM")
            try setBlob(CURLOPT_SSLKEY_BLOB, key)
        }
    }

    private func setLimits(_ request: HTTPRequest, timeout: Int, isStream: Bool) throws(TransportError) {
        try set(CURLOPT_NOSIGNAL, 1)
        // A cancelled look-up would otherwise be waited for, and every other transfer with it.
        try set(CURLOPT_QUICK_EXIT, 1)
        try set(CURLOPT_TIMEOUT_MS, max(1, timeout))
        try set(CURLOPT_CONNECTTIMEOUT_MS, max(1, request.connectTimeoutMilliseconds))
        if let silence = request.silenceMilliseconds {
            try set(CURLOPT_LOW_SPEED_LIMIT, 100)
            try set(CURLOPT_LOW_SPEED_TIME, max(1, silence / 1000))
        }
        try set(CURLOPT_TCP_KEEPALIVE, 1)
        try set(CURLOPT_TCP_KEEPIDLE, 30)
        try set(CURLOPT_TCP_KEEPINTVL, 10)
        try check(shiplog_curl_bound_unacknowledged(handle))
        try set(CURLOPT_MAXLIFETIME_CONN, 600)
        if isStream {
            // A connection of its own: pausing one stream of an HTTP/2 connection pauses them all in this libcurl.
            try set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        } else {
            try set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_2TLS))
            try set(CURLOPT_PIPEWAIT, 1)
            try set(CURLOPT_ACCEPT_ENCODING, "gzip")
        }
        if !request.mayBeRepeated { try set(CURLOPT_FRESH_CONNECT, 1) }
    }

    private func set(_ option: CURLoption, _ value: Int) throws(TransportError) {
        try check(shiplog_curl_set_long(handle, option, value))
    }

    private func set(_ option: CURLoption, _ value: String) throws(TransportError) {
        guard !value.utf8.contains(0) else { throw TransportError(.invalidRequest, "a text holds a zero byte") }
        try check(shiplog_curl_set_string(handle, option, value))
    }

    private func setBlob(_ option: CURLoption, _ bytes: [UInt8]) throws(TransportError) {
        try check(bytes.withUnsafeBytes { shiplog_curl_set_blob(handle, option, $0.baseAddress, $0.count) })
    }

    private func check(_ code: CURLcode) throws(TransportError) {
        guard code == CURLE_OK else {
            throw TransportError(.invalidRequest, String(cString: curl_easy_strerror(code)))
        }
    }

    // MARK: Receiving

    /// How many bytes were taken, as libcurl wants to hear it.
    fileprivate func receive(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
        if case .lines(let stream) = sink, (200...299).contains(status) {
            switch stream.accept(bytes) {
            case .taken: return bytes.count
            case .full: return shiplog_curl_pause
            case .lineTooLong:
                refusal = TransportError(.tooLarge, "one line exceeds the limit", mayHaveArrived: true)
                return 0
            }
        }
        guard body.count + bytes.count <= maximumBodyBytes else {
            refusal = TransportError(.tooLarge, "it exceeds \(maximumBodyBytes) bytes", mayHaveArrived: true)
            return 0
        }
        body.append(contentsOf: bytes)
        return bytes.count
    }

    fileprivate func receive(header bytes: UnsafeBufferPointer<UInt8>) -> Int {
        headerBytes += bytes.count
        guard headerBytes <= 256 << 10 else {
            refusal = TransportError(.tooLarge, "its header exceeds 256 KiB", mayHaveArrived: true)
            return 0
        }
        // A status line starts another header section (after "100 Continue" or a proxy's answer): the last one counts.
        if bytes.starts(with: "HTTP/".utf8) {
            headers = []
        } else if let colon = bytes.firstIndex(of: UInt8(ascii: ":")) {
            let name = String(decoding: bytes[..<colon], as: UTF8.self).lowercased()
            let value = bytes[(colon + 1)...].drop { $0 == 0x20 || $0 == 0x09 }
            var end = value.endIndex
            while end > value.startIndex, [0x20, 0x09, 0x0D, 0x0A].contains(value[end - 1]) { end -= 1 }
            headers.append((name, String(decoding: value[..<end], as: UTF8.self)))
        }
        return bytes.count
    }

    private var status: Int { shiplog_curl_get_long(handle, CURLINFO_RESPONSE_CODE) }

    // MARK: Ending

    /// Tells whoever waits; once.
    func finish(_ code: CURLcode) {
        if let refusal { return finish(failure: refusal) }
        guard code == CURLE_OK else {
            let sent = shiplog_curl_get_long(handle, CURLINFO_REQUEST_SIZE) > 0
            let text = String(cString: errorText)
            return finish(failure: .from(code, detail: text, mayHaveArrived: sent))
        }
        let version = shiplog_curl_get_long(handle, CURLINFO_HTTP_VERSION)
        deliver(
            .success(
                HTTPResponse(
                    status: status, headers: headers, body: body,
                    version: version == Int(CURL_HTTP_VERSION_2_0) ? "2" : "1.1")))
    }

    func finish(failure: TransportError) { deliver(.failure(failure)) }

    private func deliver(_ result: Result<HTTPResponse, TransportError>) { sink.deliver(result) }
}

extension CurlTransfer.Sink {
    func deliver(_ result: Result<HTTPResponse, TransportError>) {
        switch self {
        case .whole(let continuation): continuation.resume(returning: result)
        case .lines(let stream): stream.finish(result)
        }
    }
}

private func receiveBody(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let bytes, let context else { return 0 }
    let raw = UnsafeRawBufferPointer(start: bytes, count: size * count)
    let transfer = Unmanaged<CurlTransfer>.fromOpaque(context).takeUnretainedValue()
    return raw.withMemoryRebound(to: UInt8.self) { transfer.receive($0) }
}

private func receiveHeader(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let bytes, let context else { return 0 }
    let raw = UnsafeRawBufferPointer(start: bytes, count: size * count)
    let transfer = Unmanaged<CurlTransfer>.fromOpaque(context).takeUnretainedValue()
    return raw.withMemoryRebound(to: UInt8.self) { transfer.receive(header: $0) }
}

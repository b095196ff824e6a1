import Shiplog

/// Requests on objects, as functions of the cluster's state: no clock, no connection.
extension ClusterState {
    /// Answers everything but watches.
    mutating func respond(_ request: APIRequest, now: Timestamp) throws(StatusError) -> APIResponse {
        if let general = try respondGeneral(request) { return general }
        guard let target = request.target(registry) else { throw .noSuchResource }
        let writes = request.method != "GET"
        if writes, try Self.isDryRun(request) {
            // A copy of the whole cluster is written to and thrown away.
            var copy = self
            copy.isDryRun = true
            return try copy.respond(request, target, now)
        }
        return try respond(request, target, now)
    }

    private mutating func respond(
        _ request: APIRequest, _ target: APIRequest.Target, _ now: Timestamp
    ) throws(StatusError) -> APIResponse {
        guard
            let negotiation = Negotiation(accept: request.accept, includeObject: request.query["includeObject"])
                ?? (target.subresource == "log" ? Negotiation(accept: "*/*", includeObject: nil) : nil)
        else { throw .notAcceptable }
        let presentation = Presentation(kind: target.kind, form: negotiation.form, now: now)
        var response: APIResponse
        if let subresource = target.subresource {
            response = try respond(request, target, subresource, presentation)
        } else if let name = target.name {
            response = try respond(request, target, name: name, presentation)
        } else {
            response = try respondCollection(request, target, presentation)
        }
        if negotiation.isYAML { response.contentType = "application/yaml" }
        return response
    }

    // MARK: everything that is no object

    private func respondGeneral(_ request: APIRequest) throws(StatusError) -> APIResponse? {
        let path = request.path
        switch path.first {
        case "version", nil, "openapi": break
        case "api" where path.count <= 2, "apis" where path.count <= 3: break
        default: return nil
        }
        guard request.method == "GET" else { throw .methodNotAllowed(request.method) }
        guard let negotiation = Negotiation(accept: request.accept, includeObject: nil, allowsTable: false) else {
            throw .notAcceptable
        }
        switch (path.first, path.count) {
        case (nil, _):
            return APIResponse(["paths": ["/api", "/apis", "/healthz", "/livez", "/openapi/v3", "/readyz", "/version"]])
        case ("version", 1): return APIResponse(Discovery.version())
        case ("api", 1), ("apis", 1):
            if case .discovery(let version) = negotiation.form {
                var response = APIResponse(
                    Discovery.aggregated(isCore: path[0] == "api", version: version, registry))
                response.contentType = "application/json;g=apidiscovery.k8s.io;v=\(version);as=APIGroupDiscoveryList"
                return response
            }
            return APIResponse(path[0] == "api" ? Discovery.coreVersions() : Discovery.groups(registry))
        case ("api", 2):
            guard let list = Discovery.resources(group: "", version: path[1], registry) else { throw .noSuchResource }
            return APIResponse(list)
        case ("apis", 2):
            guard !registry.versions(of: path[1]).isEmpty else { throw .noSuchResource }
            return APIResponse(Discovery.group(path[1], registry))
        case ("apis", 3):
            guard let list = Discovery.resources(group: path[1], version: path[2], registry) else {
                throw .noSuchResource
            }
            return APIResponse(list)
        case ("openapi", 2) where path[1] == "v3": return APIResponse(OpenAPI.index(registry, version: version))
        case ("openapi", 2) where path[1] == "v2":
            return APIResponse([
                "swagger": "2.0", "info": ["title": "Shiplog sandbox", "version": .string(ServerVersion.git)],
                "paths": [:]
            ])
        case ("openapi", 4) where path[1] == "v3" && path[2] == "api":
            guard let document = OpenAPI.document(group: "", version: path[3], registry) else { throw .noSuchResource }
            return APIResponse(document)
        case ("openapi", 5) where path[1] == "v3" && path[2] == "apis":
            guard let document = OpenAPI.document(group: path[3], version: path[4], registry) else {
                throw .noSuchResource
            }
            return APIResponse(document)
        default: throw .noSuchResource
        }
    }

    static func isDryRun(_ request: APIRequest) throws(StatusError) -> Bool {
        guard let value = request.query["dryRun"] ?? request.body?["dryRun"]?.array?.first?.string, !value.isEmpty
        else {
            return false
        }
        guard value == "All" else {
            throw StatusError(
                422, "Invalid",
                "\"\" is invalid: dryRun: Unsupported value: \"\(value.prefix(50))\": supported values: \"All\"")
        }
        return true
    }

    private static func context(_ request: APIRequest, _ now: Timestamp) -> WriteContext {
        let agent = request.userAgent.split(separator: "/").first.map(String.init) ?? "unknown"
        let manager = request.query["fieldManager"] ?? ""
        let validation: WriteContext.FieldValidation =
            switch request.query["fieldValidation"] {
            case "Strict": .strict
            case "Ignore": .ignore
            default: .warn
            }
        return WriteContext(
            manager: String((manager.isEmpty ? agent : manager).prefix(128)), now: now,
            force: request.isTrue("force"), fieldValidation: validation)
    }

    private static func body(_ request: APIRequest) throws(StatusError) -> JSON {
        guard let body = request.body else { throw .badRequest("the body of the request is missing or empty") }
        return body
    }

    // MARK: collections

    private mutating func respondCollection(
        _ request: APIRequest, _ target: APIRequest.Target, _ presentation: Presentation
    ) throws(StatusError) -> APIResponse {
        let kind = target.kind
        switch request.method {
        case "GET":
            return APIResponse(try list(request, target, presentation))
        case "POST":
            let namespace = target.namespace ?? "default"
            guard kind.isNamespaced == (target.namespace != nil && !namespace.isEmpty) || !kind.isNamespaced else {
                throw .badRequest("an empty namespace may not be set during creation")
            }
            let outcome = try create(
                Self.body(request), kind, namespace: kind.isNamespaced ? namespace : "",
                Self.context(request, presentation.now))
            var response = APIResponse(presentation.one(outcome.object), status: 201)
            response.warnings = outcome.warnings
            return response
        case "DELETE":
            let options = try DeleteRequest(request.body, request.query)
            let selected = try select(request, target)
            for (key, _) in selected { _ = try delete(kind, key, options, now: presentation.now) }
            return APIResponse(
                presentation.list(selected.map(\.object), metadata: ["resourceVersion": .string(String(version))]))
        default:
            throw .methodNotAllowed(request.method)
        }
    }

    private func select(
        _ request: APIRequest, _ target: APIRequest.Target
    ) throws(StatusError) -> [(key: ObjectKey, object: JSON)] {
        let labels = try LabelSelector(parsing: request.query["labelSelector"] ?? "")
        let fields = try FieldSelector(parsing: request.query["fieldSelector"] ?? "", target.kind)
        if let name = fields.name, let namespace = target.namespace {
            let key = ObjectKey(resource: target.kind.resource, namespace: namespace, name: name)
            guard let object = object(key), labels.matches(object), fields.matches(object) else { return [] }
            return [(key, object)]
        }
        return objects(target.kind.resource, namespace: target.namespace).filter {
            labels.matches($0.object) && fields.matches($0.object)
        }
    }

    private func list(
        _ request: APIRequest, _ target: APIRequest.Target, _ presentation: Presentation
    ) throws(StatusError) -> JSON {
        var selected = try select(request, target)[...]
        var answered = version
        if let wanted = request.query["resourceVersion"], let number = Int64(wanted), number > version {
            var error = StatusError(504, "Timeout", "Too large resource version: \(number), current: \(version)")
            error.causes = [
                StatusError.Cause(reason: "ResourceVersionTooLarge", message: "Too large resource version", field: "")
            ]
            error.retryAfterSeconds = 1
            throw error
        }
        if let token = request.query["continue"], !token.isEmpty {
            guard let page = PageToken(token) else { throw .badRequest("continue key is not valid") }
            // The changes since the first page must still be there for a watch to make up for them.
            guard page.version >= window.oldest else {
                throw .expired(
                    "The provided continue parameter is too old to display a consistent list result. You can start a "
                        + "new list without the continue parameter.")
            }
            answered = page.version
            selected = selected.drop { ($0.key.namespace, $0.key.name) <= (page.namespace, page.name) }
        }
        var metadata: [String: JSON] = ["resourceVersion": .string(String(answered))]
        if let limit = request.query["limit"].flatMap({ Int($0) }), limit > 0, selected.count > limit {
            let rest = selected.count - limit
            selected = selected.prefix(limit)
            if let last = selected.last {
                metadata["continue"] = .string(
                    PageToken(version: answered, namespace: last.key.namespace, name: last.key.name).text)
                if request.query["labelSelector"] == nil, request.query["fieldSelector"] == nil {
                    metadata["remainingItemCount"] = .integer(Int64(rest))
                }
            }
        }
        return presentation.list(selected.map(\.object), metadata: metadata)
    }

    // MARK: one object

    private mutating func respond(
        _ request: APIRequest, _ target: APIRequest.Target, name: String, _ presentation: Presentation
    ) throws(StatusError) -> APIResponse {
        let kind = target.kind
        let key = ObjectKey(resource: kind.resource, namespace: target.namespace ?? "", name: name)
        switch request.method {
        case "GET":
            guard let object = object(key) else { throw .notFound(kind, name) }
            return APIResponse(presentation.one(object))
        case "DELETE":
            let options = try DeleteRequest(request.body, request.query)
            let (pending, last) = try delete(kind, key, options, now: presentation.now)
            if let pending { return APIResponse(presentation.one(pending)) }
            return APIResponse([
                "kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Success",
                "details": .members([
                    "name": .string(name), "group": kind.group.isEmpty ? nil : .string(kind.group),
                    "kind": .string(kind.plural), "uid": .string(last.uid)
                ])
            ])
        default:
            return try write(request, kind, key, .main(hasStatus: kind.hasStatus), presentation)
        }
    }

    private mutating func write(
        _ request: APIRequest, _ kind: Kind, _ key: ObjectKey, _ endpoint: ManagedFields.Endpoint,
        _ presentation: Presentation
    ) throws(StatusError) -> APIResponse {
        let context = Self.context(request, presentation.now)
        let body = try Self.body(request)
        let outcome: Outcome
        switch (request.method, request.contentType) {
        case ("PUT", _):
            if object(key) == nil, case .main = endpoint, body.at("metadata", "uid") == nil,
                body.at("metadata", "resourceVersion")?.string?.isEmpty != false, Self.createsOnUpdate(kind)
            {
                outcome = try create(body, kind, namespace: key.namespace, context)
            } else {
                outcome = try update(body, kind, key, endpoint, context)
            }
        case ("PATCH", "application/merge-patch+json"):
            outcome = try patch(kind, key, endpoint, context) { Patches.merge($0, body) }
        case ("PATCH", "application/json-patch+json"):
            outcome = try patch(kind, key, endpoint, context) { object throws(StatusError) in
                try Patches.apply(body, to: object)
            }
        case ("PATCH", "application/strategic-merge-patch+json") where !kind.isCustom:
            outcome = try patch(kind, key, endpoint, context) { StrategicMerge.apply($0, body, kind.shape) }
        case ("PATCH", "application/apply-patch+yaml"):
            guard request.query["fieldManager"]?.isEmpty == false else {
                throw .badRequest(
                    "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch"
                )
            }
            outcome = try apply(body, kind, key, endpoint, context)
        case ("PATCH", _):
            var accepted = "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
            if !kind.isCustom { accepted += ", application/strategic-merge-patch+json" }
            throw .unsupportedMediaType(accepted)
        default: throw .methodNotAllowed(request.method)
        }
        var response = APIResponse(presentation.one(outcome.object), status: outcome.isCreated ? 201 : 200)
        response.warnings = outcome.warnings
        return response
    }

    /// The few kinds that a PUT makes when they are not there.
    private static func createsOnUpdate(_ kind: Kind) -> Bool {
        !kind.isCustom && ["Endpoints", "Event", "Lease", "LimitRange", "Service"].contains(kind.kind)
    }

    // MARK: subresources

    private mutating func respond(
        _ request: APIRequest, _ target: APIRequest.Target, _ subresource: String, _ presentation: Presentation
    ) throws(StatusError) -> APIResponse {
        let kind = target.kind
        let key = ObjectKey(resource: kind.resource, namespace: target.namespace ?? "", name: target.name ?? "")
        guard let live = object(key) else { throw .notFound(kind, key.name) }
        switch subresource {
        case "status" where kind.hasStatus:
            if request.method == "GET" { return APIResponse(presentation.one(live)) }
            return try write(request, kind, key, .status, presentation)
        case "scale":
            guard let paths = kind.scale else { throw .noSuchResource }
            return try scale(request, kind, key, live, paths, presentation)
        case "finalize" where kind.kind == "Namespace" && kind.group.isEmpty:
            return APIResponse(presentation.one(live))
        case "log" where kind.kind == "Pod" && kind.group.isEmpty:
            return APIResponse(text: "The sandbox runs no containers: there is no log.\n")
        case "eviction" where kind.kind == "Pod" && kind.group.isEmpty && request.method == "POST":
            _ = try delete(
                kind, key, DeleteRequest(request.body?["deleteOptions"], request.query), now: presentation.now)
            return APIResponse(
                ["kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Success"], status: 201)
        case "exec" where kind.kind == "Pod", "attach" where kind.kind == "Pod", "portforward" where kind.kind == "Pod":
            throw .badRequest("the sandbox runs no containers: there is nothing to connect to")
        default: throw .noSuchResource
        }
    }

    private mutating func scale(
        _ request: APIRequest, _ kind: Kind, _ key: ObjectKey, _ live: JSON, _ paths: Kind.ScalePaths,
        _ presentation: Presentation
    ) throws(StatusError) -> APIResponse {
        let shown = Self.scale(of: live, paths)
        let wanted: JSON
        switch (request.method, request.contentType) {
        case ("GET", _): return APIResponse(shown)
        case ("PUT", _): wanted = try Self.body(request)
        case ("PATCH", "application/merge-patch+json"), ("PATCH", "application/strategic-merge-patch+json"),
            ("PATCH", "application/apply-patch+yaml"):
            wanted = Patches.merge(shown, try Self.body(request))
        case ("PATCH", "application/json-patch+json"): wanted = try Patches.apply(Self.body(request), to: shown)
        case ("PATCH", _): throw .unsupportedMediaType("application/json-patch+json, application/merge-patch+json")
        default: throw .methodNotAllowed(request.method)
        }
        if let version = wanted.at("metadata", "resourceVersion")?.string, !version.isEmpty,
            version != live.at("metadata", "resourceVersion")?.string
        {
            throw .modified(kind, key.name)
        }
        let replicas = wanted.at("spec", "replicas")?.integer ?? 0
        guard replicas >= 0 else {
            throw .invalid(
                kind, key.name,
                [.invalid("spec.replicas", .integer(replicas), "must be greater than or equal to 0")])
        }
        var object = live
        object["apiVersion"] = .string(kind.apiVersion)
        object.set(.integer(replicas), at: paths.specReplicas)
        let outcome = try update(object, kind, key, .scale, Self.context(request, presentation.now))
        return APIResponse(Self.scale(of: outcome.object, paths))
    }

    private static func scale(of object: JSON, _ paths: Kind.ScalePaths) -> JSON {
        let metadata = ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"].reduce(into: [:]) {
            $0[$1] = object.at("metadata", $1)
        }
        let selector =
            paths.selector.map { object.at($0[...])?.string ?? "" }
            ?? LabelSelector(object.at("spec", "selector"))?.text ?? ""
        return [
            "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": .object(metadata),
            "spec": ["replicas": object.at(paths.specReplicas[...]) ?? 0],
            "status": [
                "replicas": object.at(paths.statusReplicas[...]) ?? 0, "selector": .string(selector)
            ]
        ]
    }
}

/// Where the next page of a list begins.
struct PageToken: Sendable, Hashable {
    var version: Int64
    var namespace: String
    var name: String

    init(version: Int64, namespace: String, name: String) {
        self.version = version
        self.namespace = namespace
        self.name = name
    }

    init?(_ text: String) {
        guard let bytes = [UInt8](hex: text), let value = try? JSON(parsing: bytes), let parts = value.array,
            parts.count == 3, let version = parts[0].integer, let namespace = parts[1].string,
            let name = parts[2].string
        else { return nil }
        self.init(version: version, namespace: namespace, name: name)
    }

    var text: String { JSON.array([.integer(version), .string(namespace), .string(name)]).canonicalBytes.hex }
}

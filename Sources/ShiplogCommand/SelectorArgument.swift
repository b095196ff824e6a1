import ArgumentParser
import Shiplog

/// `[GROUP:]KIND:[NAMESPACE/]NAME`, as Argo CD's command line writes a resource.
struct SelectorArgument: ExpressibleByArgument {
    let selector: ResourceSelector

    init?(argument: String) {
        guard let selector = ResourceSelector(argument) else { return nil }
        self.selector = selector
    }

    var json: JSON {
        .members([
            "group": selector.group.map { .string($0) }, "kind": .string(selector.kind),
            "namespace": selector.namespace.map { .string($0) }, "name": .string(selector.name)
        ])
    }
}

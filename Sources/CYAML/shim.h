#pragma once
#include <yaml.h>

// The members of yaml_event_t's union, one function each: Swift would copy the whole union at every access, and these
// are read a hundred thousand times for a file of two megabytes.

static inline const unsigned char *shiplog_yaml_scalar_value(const yaml_event_t *event) {
    return event->data.scalar.value;
}
static inline size_t shiplog_yaml_scalar_length(const yaml_event_t *event) { return event->data.scalar.length; }
static inline int shiplog_yaml_scalar_is_plain(const yaml_event_t *event) {
    return event->data.scalar.plain_implicit;
}

// NULL when the node has none; otherwise ends in NUL and lives as long as the event.
static inline const char *shiplog_yaml_anchor(const yaml_event_t *event) {
    switch (event->type) {
    case YAML_ALIAS_EVENT: return (const char *)event->data.alias.anchor;
    case YAML_SCALAR_EVENT: return (const char *)event->data.scalar.anchor;
    case YAML_SEQUENCE_START_EVENT: return (const char *)event->data.sequence_start.anchor;
    case YAML_MAPPING_START_EVENT: return (const char *)event->data.mapping_start.anchor;
    default: return NULL;
    }
}

static inline const char *shiplog_yaml_tag(const yaml_event_t *event) {
    switch (event->type) {
    case YAML_SCALAR_EVENT: return (const char *)event->data.scalar.tag;
    case YAML_SEQUENCE_START_EVENT: return (const char *)event->data.sequence_start.tag;
    case YAML_MAPPING_START_EVENT: return (const char *)event->data.mapping_start.tag;
    default: return NULL;
    }
}

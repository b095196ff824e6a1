// zlib (RFC 1950, 1951): compress2, uncompress and crc32 are plain functions, so the header is enough.
#include <zlib.h>

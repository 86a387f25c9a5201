//! Files, folders and standard input: NDJSON, whole documents, gzip, zstd.

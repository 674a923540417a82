// Package eventfile owns event files: directories that hold the three streams
// as predictions, impressions and conversions, each one file in proto3 JSON, a
// record a line (.ndjson, .ndjson.gz, .ndjson.zst), or in protobuf, each record
// after its length as a varint (.pb, .pb.zst). It reads them as the records
// that their topics would hold, and puts them on the topics.
//
// It does not judge records. One that breaks the contract is passed on as it
// stands, so that the pipeline refuses it, counts it and says why.
package eventfile

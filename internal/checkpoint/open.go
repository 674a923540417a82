package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"
)

// responseChecksums is the parameter that says when S3 is asked for checksums.
const responseChecksums = "response_checksum_validation"

// BucketCloser is a Bucket that whoever opened it closes.
type BucketCloser interface {
	Bucket
	io.Closer
}

// OpenBucket opens the place that a URL names:
//
//   - file:///directory, which is made if need be. The file system must have
//     hard links; several machines may share it.
//   - s3://bucket/prefix?region=…, with the parameters of gocloud.dev/blob/s3blob
//     (endpoint, profile, use_path_style and others) and credentials from where
//     AWS tools take them. The store must know conditional writes
//     (If-None-Match: *); Store.Owner's Upload finds out.
//
// Nothing of the store is asked yet. Errors hold nothing of the URL, which may
// have secrets in it.
func OpenBucket(ctx context.Context, text string) (BucketCloser, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("checkpoint url: is not a URL; want file:///… or s3://…")
	}
	switch u.Scheme {
	case "file":
		if u.RawQuery != "" || u.Host != "" && u.Host != "localhost" && u.Host != "." || u.Path == "" {
			return nil, errors.New("checkpoint url: want file:///directory, without host or parameters")
		}
		path := u.Path
		if u.Host == "." {
			path = "." + path
		}
		b, err := openFileBucket(filepath.FromSlash(path))
		if err != nil {
			return nil, fmt.Errorf("checkpoint url: directory: %w", err)
		}
		return b, nil
	case "s3":
		prefix := strings.Trim(u.Path, "/")
		query := u.Query()
		if !query.Has(responseChecksums) {
			// All that is read is checked here, and stores without checksums would
			// have the library log a line for each object.
			query.Set(responseChecksums, "when_required")
		}
		b, err := new(s3blob.URLOpener).OpenBucketURL(ctx, &url.URL{Scheme: u.Scheme, Host: u.Host, RawQuery: query.Encode()})
		if err != nil {
			if inner := errors.Unwrap(err); inner != nil && strings.HasPrefix(err.Error(), "open bucket ") {
				err = inner // the outer one repeats the URL
			}
			return nil, fmt.Errorf("checkpoint url: s3: %w", err)
		}
		if prefix != "" {
			b = blob.PrefixedBucket(b, prefix+"/")
		}
		return NewBlobBucket(b), nil
	default:
		return nil, errors.New("checkpoint url: is not a place for checkpoints; want file:///… or s3://…")
	}
}

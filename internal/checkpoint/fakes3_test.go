package checkpoint_test

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeS3 is as much of S3 as the library asks for. It keeps parts of what is
// uploaded in parts, and heeds If-None-Match unless it is told not to.
type fakeS3 struct {
	server        *httptest.Server
	unconditional bool

	mu      sync.Mutex
	objects map[string][]byte
	parts   map[string][]byte // by upload and number
	uploads int
}

func newFakeS3(t *testing.T) *fakeS3 {
	s := &fakeS3{objects: map[string][]byte{}, parts: map[string][]byte{}}
	s.server = httptest.NewServer(s)
	t.Cleanup(s.server.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", t.TempDir()+"/none")
	return s
}

func (s *fakeS3) url(prefix string) string {
	return "s3://bucket" + prefix + "?region=us-east-1&use_path_style=true&hostname_immutable=true&request_checksum_calculation=when_required&endpoint=" + s.server.URL
}

func (s *fakeS3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/bucket"), "/")
	upload, number := r.URL.Query().Get("uploadId"), r.URL.Query().Get("partNumber")
	switch data, exists := s.objects[key]; {
	case r.Method == http.MethodGet && key == "":
		s.list(w, r)
	case r.Method == http.MethodGet && exists:
		http.ServeContent(w, r, "", time.Now(), strings.NewReader(string(data)))
	case r.Method == http.MethodHead && exists:
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
	case r.Method == http.MethodPut && number != "":
		s.parts[upload+number] = body
		w.Header().Set("ETag", `"`+number+`"`)
	case r.Method == http.MethodPost && upload == "":
		s.uploads++
		fmt.Fprintf(w, "<InitiateMultipartUploadResult><UploadId>%d.</UploadId></InitiateMultipartUploadResult>", s.uploads)
	case (r.Method == http.MethodPut || r.Method == http.MethodPost) && exists && r.Header.Get("If-None-Match") == "*" && !s.unconditional:
		fail(w, http.StatusPreconditionFailed, "PreconditionFailed")
	case r.Method == http.MethodPut:
		s.objects[key] = body
	case r.Method == http.MethodPost:
		var whole []byte
		for i := 1; s.parts[upload+fmt.Sprint(i)] != nil; i++ {
			whole = append(whole, s.parts[upload+fmt.Sprint(i)]...)
		}
		s.objects[key] = whole
		fmt.Fprint(w, "<CompleteMultipartUploadResult/>")
	case r.Method == http.MethodDelete:
		delete(s.objects, key)
		w.WriteHeader(http.StatusNoContent)
	default:
		fail(w, http.StatusNotFound, "NoSuchKey")
	}
}

func fail(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code></Error>", code)
}

// list answers ListObjectsV2, two keys a page.
func (s *fakeS3) list(w http.ResponseWriter, r *http.Request) {
	type object struct {
		Key          string
		Size         int
		LastModified string
	}
	var result struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		Contents              []object
		IsTruncated           bool
		NextContinuationToken string `xml:",omitempty"`
	}
	var keys []string
	for key := range s.objects {
		if strings.HasPrefix(key, r.URL.Query().Get("prefix")) && key > r.URL.Query().Get("continuation-token") {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	if len(keys) > 2 {
		keys = keys[:2]
		result.IsTruncated, result.NextContinuationToken = true, keys[1]
	}
	for _, key := range keys {
		result.Contents = append(result.Contents, object{key, len(s.objects[key]), time.Now().UTC().Format(time.RFC3339)})
	}
	if err := xml.NewEncoder(w).Encode(result); err != nil {
		panic(err)
	}
}

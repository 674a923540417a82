package receiver

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
)

// Mask stands where a secret is not shown.
const Mask = "********"

// Secret is the content of a file that must not be shown. It may be used by
// several goroutines.
type Secret struct {
	path  string
	check func(string) error
	mu    sync.Mutex
	value string
}

// ReadSecret reads the secret of a file, without the white space around it.
// check, if there is one, says what is wrong with a value; its error must not
// contain it.
func ReadSecret(path string, check func(string) error) (*Secret, error) {
	s := &Secret{path: path, check: check}
	if err := s.Reload(); err != nil {
		return nil, err
	}
	return s, nil
}

// Reload reads the file again. On an error the value stays what it was.
func (s *Secret) Reload() error {
	data, err := os.ReadFile(s.path)
	if err != nil {
		return fmt.Errorf("secret: %w", err)
	}
	value := strings.TrimSpace(string(data))
	if value == "" {
		return fmt.Errorf("secret %s: file is empty", s.path)
	}
	if s.check != nil {
		if err := s.check(value); err != nil {
			return fmt.Errorf("secret %s: %w", s.path, err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.value = value
	return nil
}

// Value returns the secret itself; of a nil Secret the empty string.
func (s *Secret) Value() string {
	if s == nil {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.value
}

// Hide returns text with the secret masked.
func (s *Secret) Hide(text []byte) []byte {
	if v := s.Value(); v != "" {
		return bytes.ReplaceAll(text, []byte(v), []byte(Mask))
	}
	return text
}

// String masks the secret, so that no format verb shows it.
func (s *Secret) String() string { return Mask }

// GoString masks it for %#v.
func (s *Secret) GoString() string { return Mask }

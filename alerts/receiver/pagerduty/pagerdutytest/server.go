package pagerdutytest

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// Server is a Fake that listens on 127.0.0.1.
type Server struct {
	*Fake
	address string

	mu     sync.Mutex
	server *http.Server
}

// Start has the fake listen on a free port.
func Start(f *Fake) (*Server, error) {
	s := &Server{Fake: f, address: "127.0.0.1:0"}
	if err := s.Open(); err != nil {
		return nil, err
	}
	return s, nil
}

// URL is the base of the API.
func (s *Server) URL() string { return "http://" + s.address }

// Open listens again after Close, on the port of before. It does nothing while
// it listens.
func (s *Server) Open() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server != nil {
		return nil
	}
	l, err := net.Listen("tcp", s.address) //nolint:noctx // it takes no time on this machine
	if err != nil {
		return fmt.Errorf("fake PagerDuty at %s: %w", s.address, err)
	}
	s.address = l.Addr().String()
	server := &http.Server{Handler: s.Fake, ReadHeaderTimeout: time.Minute}
	s.server = server
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			panic(fmt.Sprintf("BUG: fake PagerDuty at %s: %v", s.address, err))
		}
	}()
	return nil
}

// Close drops all connections and refuses others.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil {
		return nil
	}
	server := s.server
	s.server = nil
	return server.Close()
}

// Set makes the server misbehave from now on; Refused closes it, and any other
// fault opens it again.
func (s *Server) Set(fault Fault) error {
	s.Fake.Set(fault)
	if fault == Refused {
		return s.Close()
	}
	return s.Open()
}

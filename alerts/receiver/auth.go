package receiver

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
)

// Auth is how to say who calls: a bearer token, or a user with a password, or
// neither.
type Auth struct {
	BearerTokenFile string
	Username        string
	PasswordFile    string
}

// Credentials are an Auth with its secrets read.
type Credentials struct {
	username string
	secret   *Secret
}

// Open reads the secret.
func (a Auth) Open() (*Credentials, error) {
	var err error
	c := &Credentials{username: a.Username}
	switch {
	case a.BearerTokenFile != "" && (a.Username != "" || a.PasswordFile != ""):
		return nil, errors.New("auth: has both a bearer token and a user; want one of them")
	case (a.Username == "") != (a.PasswordFile == ""):
		return nil, errors.New("auth: a user needs a password file, and the other way round")
	case a.BearerTokenFile != "":
		c.secret, err = ReadSecret(a.BearerTokenFile, nil)
	case a.PasswordFile != "":
		c.secret, err = ReadSecret(a.PasswordFile, nil)
	}
	return c, err
}

// Set adds the header to h, masked if it is for people.
func (c *Credentials) Set(h http.Header, masked bool) {
	if c.secret == nil {
		return
	}
	scheme, value := "Bearer ", c.secret.Value()
	if c.username != "" {
		scheme, value = "Basic ", base64.StdEncoding.EncodeToString([]byte(c.username+":"+value))
	}
	if masked {
		value = Mask
	}
	h.Set("Authorization", scheme+value)
}

// Reread reads the secret again if err says that it was not accepted. What it
// returns is err, with what went wrong with the file.
func (c *Credentials) Reread(err error) error { return Reread(err, c.secret) }

// Reread reads secrets again if err says that they were not accepted, and masks
// them where err repeats them.
func Reread(err error, secrets ...*Secret) error {
	e := (*Error)(nil)
	if !errors.As(err, &e) {
		return err
	}
	for _, s := range secrets {
		if s == nil {
			continue
		}
		if v := s.Value(); strings.Contains(e.Err.Error(), v) {
			e.Err = errors.New(strings.ReplaceAll(e.Err.Error(), v, Mask))
		}
		if e.Kind != Unauthorized {
			continue
		}
		if failed := s.Reload(); failed != nil {
			e.Err = errors.Join(e.Err, failed)
		}
	}
	return err
}

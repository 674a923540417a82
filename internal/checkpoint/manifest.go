package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// format is the version of the manifests that are written, and the newest that
// is read.
const format = 1

// maxManifest is the longest manifest that is read, in bytes.
const maxManifest = 64 << 20

// content is what a part is known by, wherever it lies and whatever its file
// is called.
type content struct {
	size int64
	sum  [sha256.Size]byte
}

// part is a run of bytes of a file.
type part struct {
	content
	id string // of the object that holds it
}

// file is a file of a state directory. Without parts it is empty.
type file struct {
	name  string
	parts []part
}

func (f file) size() (n int64) {
	for _, p := range f.parts {
		n += p.size
	}
	return n
}

// manifest says what a checkpoint consists of. It is a text of lines:
//
//	rampgauge checkpoint 1
//	partition 3
//	version 5 42
//	upload K2QVJ.7
//	file 000012.sst
//	part 1234 <sha256> <object>
//	end <sha256 of the lines above>
//
// The first and the last line stay as they are in all formats to come.
type manifest struct {
	partition int32
	version   Version
	upload    string // tells it from any other that may have the same Version
	files     []file // by name, each once
}

// encode is the text of m.
func (m manifest) encode() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "rampgauge checkpoint %d\npartition %d\nversion %d %d\nupload %s\n",
		format, m.partition, m.version.Epoch, m.version.Sequence, m.upload)
	for _, f := range m.files {
		fmt.Fprintf(&b, "file %s\n", f.name)
		for _, p := range f.parts {
			fmt.Fprintf(&b, "part %d %x %s\n", p.size, p.sum, p.id)
		}
	}
	fmt.Fprintf(&b, "end %x\n", sha256.Sum256(b.Bytes()))
	return b.Bytes()
}

// decode reads what encode writes, and nothing else. It fails with ErrDamaged
// or, if all of the text is there but of a newer format, ErrFormat.
func decode(text []byte) (manifest, error) {
	const endLen = len("end \n") + 2*sha256.Size
	if len(text) < endLen {
		return manifest{}, fmt.Errorf("%d bytes: too short: %w", len(text), ErrDamaged)
	}
	lines, end := text[:len(text)-endLen], text[len(text)-endLen:]
	if want := fmt.Sprintf("end %x\n", sha256.Sum256(lines)); string(end) != want {
		return manifest{}, fmt.Errorf("checksum does not match: %w", ErrDamaged)
	}
	var m manifest
	var version int
	rest := string(lines)
	next := func(pattern string, fields ...any) bool {
		line, after, ok := strings.Cut(rest, "\n")
		if _, err := fmt.Sscanf(line, pattern, fields...); err != nil || !ok {
			return false
		}
		rest = after
		return true
	}
	if next("rampgauge checkpoint %d", &version); version > format {
		return manifest{}, fmt.Errorf("format %d, and this program reads up to %d: %w", version, format, ErrFormat)
	}
	ok := next("partition %d", &m.partition) && next("version %d %d", &m.version.Epoch, &m.version.Sequence) && next("upload %s", &m.upload)
	for ok && rest != "" {
		var f file
		ok = next("file %s", &f.name) && validName(f.name) && (len(m.files) == 0 || m.files[len(m.files)-1].name < f.name)
		for ok && strings.HasPrefix(rest, "part ") {
			var p part
			var sum string
			ok = next("part %d %s %s", &p.size, &sum, &p.id) && p.size > 0 && validName(p.id) && len(sum) == 2*sha256.Size
			if ok {
				_, err := hex.Decode(p.sum[:], []byte(sum))
				ok = err == nil
			}
			f.parts = append(f.parts, p)
		}
		m.files = append(m.files, f)
	}
	// What differs in a detail, such as a space, was not written by encode.
	if !ok || !bytes.Equal(m.encode(), text) {
		return manifest{}, fmt.Errorf("cannot be read: %w", ErrDamaged)
	}
	return m, nil
}

// validName says whether name can be that of a file or an object in a folder:
// a manifest must not lead out of it.
func validName(name string) bool {
	return name != "" && name[0] != '.' && strings.Trim(name, alphanumeric+"._-") == ""
}

// contents maps what m holds to the ids of the objects that hold it.
func (m manifest) contents() map[content]string {
	all := map[content]string{}
	for _, f := range m.files {
		for _, p := range f.parts {
			all[p.content] = p.id
		}
	}
	return all
}

// objects are the ids of m's objects, some more than once.
func (m manifest) objects() []string {
	var all []string
	for _, f := range m.files {
		for _, p := range f.parts {
			all = append(all, p.id)
		}
	}
	return slices.Clip(all)
}

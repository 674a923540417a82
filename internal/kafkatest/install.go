//go:build unix

package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// KafkaVersion is the release of Apache Kafka that StartReal runs.
const KafkaVersion = "4.4.0"

// ErrInstall means that Kafka, or what it takes to get it, is not there.
var ErrInstall = errors.New("kafka cannot be installed")

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>rampgauge</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>` + KafkaVersion + `</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.25.5</version></dependency>
  </dependencies>
</project>
`

// Install makes sure that the broker's jars are in the cache folder, and
// returns the folder that holds them. Processes that install at the same time
// wait for one another.
func Install(ctx context.Context) (libs string, err error) {
	root := os.Getenv("RAMPGAUGE_KAFKA_DIR")
	if root == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("set RAMPGAUGE_KAFKA_DIR: %w: %w", ErrInstall, err)
		}
		root = filepath.Join(cache, "rampgauge")
	}
	libs = filepath.Join(root, "kafka-"+KafkaVersion)
	if _, err := os.Stat(libs); err == nil {
		return libs, nil
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", fmt.Errorf("%w: %w", ErrInstall, err)
	}
	unlock, err := lock(filepath.Join(root, "install.lock"))
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrInstall, err)
	}
	defer unlock()
	if _, err := os.Stat(libs); err == nil {
		return libs, nil // another process was faster
	}
	work, err := os.MkdirTemp(root, "install-")
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrInstall, err)
	}
	defer os.RemoveAll(work)
	if err := os.WriteFile(filepath.Join(work, "pom.xml"), []byte(pom), 0o644); err != nil {
		return "", fmt.Errorf("%w: %w", ErrInstall, err)
	}
	mvn := exec.CommandContext(ctx, "mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory="+filepath.Join(work, "libs"))
	mvn.Dir = work
	if out, err := mvn.CombinedOutput(); err != nil {
		return "", fmt.Errorf("mvn dependency:copy-dependencies (is Maven installed?): %w: %w: %s", ErrInstall, err, out)
	}
	// The folder appears whole or not at all.
	if err := os.Rename(filepath.Join(work, "libs"), libs); err != nil {
		return "", fmt.Errorf("%w: %w", ErrInstall, err)
	}
	return libs, nil
}

func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

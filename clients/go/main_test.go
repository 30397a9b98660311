// Copyright 2026 The Valinor Authors
// SPDX-License-Identifier: Apache-2.0

package valinor_test

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"testing"
	"time"
)

// serverURL is the server that the examples talk to: VALINOR_URL, which must have an agent `demo` with the scripted model, as
// `npm start` gives, or one that TestMain starts from the repository. It is empty if there is none.
var serverURL = os.Getenv("VALINOR_URL")

const launcher = "../../bin/valinor.js"

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if serverURL == "" {
		url, stop, err := startServer()
		if err != nil {
			fmt.Fprintln(os.Stderr, "without a server the examples are only compiled:", err)
			if mustHaveServer() {
				return 1
			}
			_ = flag.Set("test.skip", "^Example")
			return m.Run()
		}
		defer stop()
		serverURL = url
	}
	return m.Run()
}

// mustHaveServer is true in the project's own CI. Elsewhere the module was fetched, and there is nothing to start.
func mustHaveServer() bool {
	_, err := os.Stat(launcher)
	return err == nil && os.Getenv("CI") == "true"
}

// startServer runs `valinor dev` on a free port, with its data in a directory that goes with it.
func startServer() (url string, stop func(), err error) {
	if _, err := os.Stat(launcher); err != nil {
		return "", nil, errors.New("this is not the repository, and VALINOR_URL is not set")
	}
	data, err := os.MkdirTemp("", "valinor-go-")
	if err != nil {
		return "", nil, err
	}
	server := exec.Command("node", launcher, "dev", "--port", "0", "--data", data)
	var log bytes.Buffer
	server.Stderr = &log
	// A group of its own: what the server starts is stopped with it.
	server.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	output, err := server.StdoutPipe()
	if err == nil {
		err = server.Start()
	}
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(data))
	}
	stop = func() {
		_ = server.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(10*time.Second, func() { _ = syscall.Kill(-server.Process.Pid, syscall.SIGKILL) })
		defer late.Stop()
		_ = server.Wait()
		_ = os.RemoveAll(data)
	}
	if url, err = readURL(output); err != nil {
		stop()
		return "", nil, fmt.Errorf("%w:\n%s", err, &log)
	}
	return url, stop, nil
}

var readyLine = regexp.MustCompile(`ready at (http://\S+),`)

// readURL waits for the line that names the server's address, and lets the rest of the output run off.
func readURL(output io.ReadCloser) (string, error) {
	found := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(output)
		for lines.Scan() {
			if match := readyLine.FindStringSubmatch(lines.Text()); match != nil {
				found <- match[1]
			}
		}
		close(found)
	}()
	select {
	case url, ok := <-found:
		if !ok {
			return "", errors.New("the server ended before it was ready")
		}
		return url, nil
	case <-time.After(30 * time.Second):
		return "", errors.New("the server was not ready within 30 s")
	}
}

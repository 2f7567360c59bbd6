package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// load asks for a path over many connections as fast as the replies come, from one thread, and drops bodies in the kernel:
// net/http's client, or a goroutine for each connection, would be most of what is measured. It takes of the cores what it
// needs to keep up, which is the same for whatever it asks.
func load(address, path string, connections int) side {
	request := []byte("GET " + path + " HTTP/1.1\r\nHost: " + address + "\r\n\r\n")
	return func(ctx context.Context) (n int, err error) {
		poll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
		if err != nil {
			return 0, err
		}
		defer func() { _ = unix.Close(poll) }()
		l := loader{request: request, buffer: make([]byte, 256<<10), left: map[int]int{}}
		defer func() {
			for fd := range l.left {
				_ = unix.Close(fd)
			}
		}()
		for range connections {
			fd, err := connect(address)
			if err != nil {
				return 0, err
			}
			l.left[fd] = 0
			event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
			if err := unix.EpollCtl(poll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
				return 0, err
			}
			if _, err := unix.Write(fd, request); err != nil {
				return 0, err
			}
		}
		deadline, _ := ctx.Deadline()
		events := make([]unix.EpollEvent, connections)
		for {
			wait := time.Until(deadline)
			if wait <= 0 {
				return l.replies, nil
			}
			ready, err := unix.EpollWait(poll, events, int(wait.Milliseconds())+1)
			if err != nil && !errors.Is(err, unix.EINTR) {
				return l.replies, err
			}
			for _, e := range events[:max(ready, 0)] {
				if err := l.read(int(e.Fd)); err != nil {
					return l.replies, err
				}
			}
		}
	}
}

func connect(address string) (int, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return 0, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return 0, err
	}
	to := unix.SockaddrInet4{Port: number}
	copy(to.Addr[:], net.ParseIP(host).To4())
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	if err := errors.Join(unix.Connect(fd, &to), unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)); err != nil {
		return 0, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

type loader struct {
	request []byte
	buffer  []byte
	left    map[int]int // bytes of the body that are still to come, by descriptor
	replies int
}

// headRoom is more than any head is long.
const headRoom = 4 << 10

// read takes what has come for one connection, and asks again when that was all.
func (l *loader) read(fd int) error {
	if left := l.left[fd]; left > 0 {
		// On TCP this flag throws the bytes away.
		n, _, err := unix.Recvfrom(fd, l.buffer[:min(left, len(l.buffer))], unix.MSG_TRUNC)
		if err != nil {
			return err
		}
		if n == 0 {
			return io.ErrUnexpectedEOF
		}
		return l.took(fd, left-n)
	}
	n, err := unix.Read(fd, l.buffer[:headRoom])
	if err != nil {
		return err
	}
	if n == 0 {
		return errors.New("a connection was closed instead of a reply")
	}
	reply := l.buffer[:n]
	head := bytes.Index(reply, []byte("\r\n\r\n"))
	if head < 0 || !bytes.HasPrefix(reply, []byte("HTTP/1.1 200")) {
		return fmt.Errorf("unexpected reply: %.200q", reply)
	}
	const name = "\r\nContent-Length: "
	at := bytes.Index(reply[:head], []byte(name))
	if at < 0 {
		return fmt.Errorf("a reply without length: %.200q", reply)
	}
	value, _, _ := strings.Cut(string(reply[at+len(name):head+2]), "\r\n")
	length, err := strconv.Atoi(value)
	if err != nil {
		return err
	}
	return l.took(fd, head+4+length-n)
}

func (l *loader) took(fd, left int) error {
	l.left[fd] = left
	if left > 0 {
		return nil
	}
	l.replies++
	_, err := unix.Write(fd, l.request)
	return err
}

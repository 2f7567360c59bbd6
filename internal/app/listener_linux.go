package app

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// How long connections that are just being made get, and how long those that wait to be accepted.
const (
	handshakeTime = 10 * time.Millisecond
	acceptTime    = time.Second
)

// letNobodyIn empties a listener before it is closed. The kernel resets the connections that nobody has accepted when their
// listener closes, and whoever has sent a request on one cannot know whether it was taken, so that a gateway must not send an
// upload again. So new connections are ignored first, and those that are there accepted; whoever was ignored tries once more
// and is refused, which a gateway takes for what it is.
//
// The caller still accepts, and closes the listener afterwards. Where any of this fails it is as if it had not been tried.
func letNobodyIn(l net.Listener) {
	conn, ok := l.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	// Sees a segment from its TCP header on: those that ask for a connection (SYN) are dropped.
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 13},                   // the flags
		{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: 0x02, Jt: 0, Jf: 1}, // SYN
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff},
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	var failed error
	if err := raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &filter)
	}); err != nil || failed != nil {
		return
	}
	waiting := func() (n uint32) {
		_ = raw.Control(func(fd uintptr) {
			if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
				n = info.Unacked // of a listener: connections that wait to be accepted
			}
		})
		return n
	}
	time.Sleep(handshakeTime)
	for deadline := time.Now().Add(acceptTime); waiting() > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
}

package imaging

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/kadr-app/kadr/internal/imaging/vips"
)

// decoderArgument makes the binary a decoder.
const decoderArgument = "decoder"

// DecoderMain turns the process into a decoder when it was started as one (os.Args[1] is "decoder") and then never
// returns; otherwise it returns at once. main must call it before anything else, and so must TestMain in every package
// whose tests make a Pool.
func DecoderMain() {
	if len(os.Args) < 2 || os.Args[1] != decoderArgument {
		return
	}
	// The server says when a decoder ends; a service manager may signal all of a service's processes at once.
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	// libvips and the sandbox's rules for one thread (see sandbox) belong to this thread and those that it starts.
	runtime.LockOSThread()
	if err := serveDecoder(); err != nil {
		fmt.Fprintln(os.Stderr, "decoder:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// decoder is the state of a decoder process.
type decoder struct {
	socket descriptor
	memory *memoryGauge
	input  []Format // that it can read
}

func serveDecoder() error {
	d := &decoder{socket: descriptor(decoderFD), memory: openMemoryGauge()}
	hello := wireHello{Vips: vips.Version()}
	limit := int64(0)
	if len(os.Args) > 2 {
		limit, _ = strconv.ParseInt(os.Args[2], 10, 64)
	}
	if err := d.prepare(limit, &hello); err != nil {
		hello.Error = err.Error()
	}
	if err := d.say(hello); err != nil {
		return err
	}
	if hello.Error != "" {
		return errors.New(hello.Error)
	}
	for {
		request, files, err := d.listen()
		if errors.Is(err, io.EOF) {
			return nil // the server has gone
		}
		if err != nil {
			return err
		}
		reply := d.answer(request, files)
		for _, fd := range files {
			_ = unix.Close(fd)
		}
		reply.RSS = d.memory.rss()
		if reply.RSS > trimAbove {
			vips.Trim()
			reply.RSS = d.memory.rss()
		}
		if err := d.say(reply); err != nil {
			return err
		}
	}
}

// trimAbove is the resident memory above which a decoder gives freed memory back after a request. Below, trimming would
// only cost the page faults of the next one.
const trimAbove = 96 << 20

// prepare starts libvips, lets it load lazily whatever it will need while it may still open files, and then gives up
// everything that decoding does not take.
func (d *decoder) prepare(memoryLimit int64, hello *wireHello) error {
	if err := vips.Start(); err != nil {
		return fmt.Errorf("libvips cannot start: %w", err)
	}
	var err error
	if hello.Input, hello.Output, err = warmUp(); err != nil {
		return fmt.Errorf("libvips does not work: %w", err)
	}
	d.input = hello.Input
	// Limits come first: the sandbox forbids changing them.
	if err := limitResources(memoryLimit, d.memory); err != nil {
		hello.Missing = append(hello.Missing, "limits: "+err.Error())
	}
	hello.Missing = append(hello.Missing, enterSandbox()...)
	return nil
}

func (d *decoder) say(v any) error {
	message, err := encodeMessage(v)
	if err != nil {
		return err
	}
	_, err = d.socket.Write(message)
	return err
}

// listen reads a request and the descriptors that come with it.
func (d *decoder) listen() (wireRequest, []int, error) {
	var (
		request wireRequest
		head    [4]byte
		oob     = make([]byte, unix.CmsgSpace((MaxOutputs+1)*4))
		files   []int
	)
	n, oobn, err := d.socket.readWithControl(head[:], oob)
	if err != nil {
		return request, nil, err
	}
	controls, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return request, nil, fmt.Errorf("control message: %w", err)
	}
	for i := range controls {
		fds, err := unix.ParseUnixRights(&controls[i])
		if err != nil {
			return request, nil, fmt.Errorf("descriptors: %w", err)
		}
		files = append(files, fds...)
	}
	if _, err := io.ReadFull(d.socket, head[n:]); err != nil {
		return request, files, err
	}
	return request, files, readBody(d.socket, head, &request)
}

// descriptor is a blocking one. The decoder does one thing at a time: Go's poller would only add thread switches.
type descriptor int

func (s descriptor) Read(p []byte) (int, error) {
	n, _, err := s.readWithControl(p, nil)
	return n, err
}

func (s descriptor) readWithControl(p, oob []byte) (n, oobn int, err error) {
	for {
		n, oobn, _, _, err = unix.Recvmsg(int(s), p, oob, 0)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err == nil && n == 0 && len(p) > 0 {
			err = io.EOF
		}
		return max(n, 0), oobn, err
	}
}

func (s descriptor) Write(p []byte) (int, error) {
	written := 0
	for written < len(p) {
		n, err := unix.Write(int(s), p[written:])
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return written, err
		}
		written += n
	}
	return written, nil
}

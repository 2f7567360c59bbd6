package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kadr-app/kadr/internal/bench/bareecho"
	"github.com/kadr-app/kadr/internal/bench/barevips"
)

// The arguments that make the bench's binary one of its limits.
const (
	bareVipsArgument = "bare-vips"
	bareEchoArgument = "bare-echo"
)

// limitMain turns the process into a limit when it was started as one, and then never returns.
func limitMain() {
	if len(os.Args) < 2 {
		return
	}
	var err error
	switch os.Args[1] {
	case bareVipsArgument:
		err = serveBareVips(os.Stdin, os.Stdout)
	case bareEchoArgument:
		err = bareecho.Serve(os.Stdout, os.Args[2], os.Args[3])
	default:
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, os.Args[1]+":", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// self starts the bench's binary as one of its limits.
func self(arguments ...string) (*exec.Cmd, error) {
	binary, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(binary, arguments...)
	cmd.Stderr = os.Stderr
	return cmd, nil
}

// vipsOrder is one line to a process that runs libvips' loop: which files to make which picture of, in turns, for how long.
// The reply is a line with how often that was, and the last one's size in bytes.
type vipsOrder struct {
	picture barevips.Picture
	length  time.Duration
	files   []string
}

func (o vipsOrder) String() string {
	p := o.picture
	return fmt.Sprintf("%d %t %d %d %d %s\n", p.Width, p.WebP, p.Quality, p.Effort, o.length, strings.Join(o.files, "|"))
}

func parseVipsOrder(line string) (o vipsOrder, err error) {
	var files string
	p := &o.picture
	if _, err := fmt.Sscanf(line, "%d %t %d %d %d %s", &p.Width, &p.WebP, &p.Quality, &p.Effort, &o.length, &files); err != nil {
		return o, err
	}
	o.files = strings.Split(files, "|")
	return o, nil
}

func serveBareVips(in io.Reader, out io.Writer) error {
	if err := barevips.Start(); err != nil {
		return err
	}
	mapped := map[string][]byte{}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return nil //nolint:nilerr // the bench has no more orders
		}
		o, err := parseVipsOrder(line)
		if err != nil {
			return err
		}
		for _, name := range o.files {
			if mapped[name] == nil {
				if mapped[name], err = mapFile(name); err != nil {
					return err
				}
			}
		}
		n, size := 0, 0
		for end := time.Now().Add(o.length); time.Now().Before(end); n++ {
			if size, err = barevips.Render(mapped[o.files[n%len(o.files)]], o.picture); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintf(out, "%d %d\n", n, size); err != nil {
			return err
		}
	}
}

// mapFile maps a file, as the server's decoders do, for as long as the process lives.
func mapFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return unix.Mmap(int(f.Fd()), 0, int(st.Size()), unix.PROT_READ, unix.MAP_PRIVATE)
}

// vipsLoops are processes that run libvips' loop.
type vipsLoops struct {
	commands []*exec.Cmd
	orders   []io.WriteCloser
	replies  []*bufio.Reader
	size     int // of the last picture made, in bytes
}

// startVips starts n of them, on the cores that this process may use.
func startVips(n int) (*vipsLoops, error) {
	v := &vipsLoops{}
	for range n {
		cmd, err := self(bareVipsArgument)
		if err != nil {
			return nil, err
		}
		in, err := cmd.StdinPipe()
		if err != nil {
			return nil, err
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		v.commands, v.orders, v.replies = append(v.commands, cmd), append(v.orders, in), append(v.replies, bufio.NewReader(out))
	}
	return v, nil
}

func (v *vipsLoops) stop() {
	for i, cmd := range v.commands {
		_ = v.orders[i].Close() // its end
		_ = cmd.Wait()
	}
}

// side makes a picture of the files, by all processes at once.
func (v *vipsLoops) side(p barevips.Picture, files []string) side {
	return func(ctx context.Context) (int, error) {
		deadline, _ := ctx.Deadline()
		for i, in := range v.orders {
			turned := append(append([]string{}, files[i%len(files):]...), files[:i%len(files)]...)
			if _, err := io.WriteString(in, vipsOrder{picture: p, length: time.Until(deadline), files: turned}.String()); err != nil {
				return 0, err
			}
		}
		total := 0
		for _, out := range v.replies {
			var n int
			if _, err := fmt.Fscanf(out, "%d %d\n", &n, &v.size); err != nil {
				return 0, fmt.Errorf("libvips' loop: %w", err)
			}
			total += n
		}
		return total, nil
	}
}

// children are the processes that a process has started and that still run (Linux only).
func children(parent int) []int {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil
	}
	var pids []int
	for _, name := range stats {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // has ended
		}
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if len(fields) > 1 && fields[1] == strconv.Itoa(parent) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			pids = append(pids, pid)
		}
	}
	return pids
}

var peakPattern = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peakMemory is the most memory that a process ever had resident, in KiB (Linux only).
func peakMemory(pid int) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("read a process's memory (Linux only): %w", err)
	}
	m := peakPattern.FindSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("process %d has no memory any more", pid)
	}
	return strconv.Atoi(string(m[1]))
}

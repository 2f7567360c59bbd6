package imaging

import (
	"fmt"
	"os"
	"unsafe"

	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

// enterSandbox takes from the process what decoding does not need: new files, the network, other programs, other
// processes. It returns which protections the system does not offer; a container may forbid any of them, and a decoder
// without is still a process of its own.
//
// seccomp holds for every thread. Landlock is the second wall should seccomp be missing: it holds for this thread and
// those that it starts, which are the ones that libvips runs on.
func enterSandbox() (missing []string) {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		missing = append(missing, "no_new_privs: "+err.Error())
	}
	// Debuggers of the same user, and core dumps, stay out.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		missing = append(missing, "dumpable: "+err.Error())
	}
	if err := enterLandlock(); err != nil {
		missing = append(missing, "landlock: "+err.Error())
	}
	if err := enterSeccomp(); err != nil {
		missing = append(missing, "seccomp: "+err.Error())
	}
	return missing
}

// deniedCalls lists what is refused rather than what is allowed: what libvips, glibc and Go's runtime call differs from
// version to version, and a decoder that dies of an upgrade helps nobody; what an attacker needs does not change. Calls
// that an architecture does not have are passed over.
func deniedCalls() []string {
	return []string{
		// files, by any name
		"open", "openat", "openat2", "creat", "open_by_handle_at", "name_to_handle_at", "memfd_create", "truncate",
		"rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "unlink", "unlinkat", "mkdir",
		"mkdirat", "rmdir", "mknod", "mknodat", "chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "fchownat",
		"lchown", "setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr", "utime", "utimes",
		"utimensat", "futimesat", "inotify_init", "inotify_init1", "fanotify_init", "chdir", "fchdir", "chroot",
		"pivot_root", "mount", "umount2", "open_tree", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick",
		"mount_setattr", "swapon", "swapoff", "quotactl", "acct", "mq_open", "shmget", "semget", "msgget",
		// the network; recvmsg, read and write on the socket that is there remain
		"socket", "socketpair", "connect", "bind", "listen", "accept", "accept4", "sendto", "sendmsg", "sendmmsg",
		"setsockopt",
		// other programs and processes
		"execve", "execveat", "fork", "vfork", "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise",
		"kill", "tkill", "pidfd_open", "pidfd_getfd", "pidfd_send_signal", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "kcmp",
		"setns", "unshare", "setpgid", "setsid", "setpriority", "sched_setaffinity", "prlimit64", "setrlimit",
		// the kernel
		"bpf", "perf_event_open", "io_uring_setup", "io_uring_enter", "io_uring_register", "keyctl", "add_key",
		"request_key", "userfaultfd", "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load",
		"reboot", "syslog", "personality", "iopl", "ioperm", "modify_ldt", "settimeofday", "clock_settime",
		"clock_adjtime", "adjtimex", "sethostname", "setdomainname", "setuid", "setgid", "setreuid", "setregid",
		"setresuid", "setresgid", "setgroups", "setfsuid", "setfsgid", "capset",
	}
}

// Where the kernel puts things before a seccomp filter (struct seccomp_data, on little-endian machines).
const (
	seccompNumber = 0
	seccompArch   = 4
	seccompArg0   = 16
)

// x32Bit marks the calls of amd64's third interface, which would slip past a list of the first one's numbers.
const x32Bit = 0x40000000

// enterSeccomp assembles the filter itself, because it is a list, and because the library's own assembler lets calls
// through another architecture's gate (int 0x80 on amd64) pass whatever the list says; here they end the process. The
// library knows the numbers.
func enterSeccomp() error {
	info, err := arch.GetInfo("")
	if err != nil {
		return err
	}
	const (
		load    = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal   = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		atLeast = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
		bits    = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
		ret     = unix.BPF_RET | unix.BPF_K
		refuse  = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
		absent  = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
		allow   = unix.SECCOMP_RET_ALLOW
	)
	filter := []unix.SockFilter{
		{Code: load, K: seccompArch},
		{Code: equal, K: uint32(info.ID), Jt: 1},
		{Code: ret, K: unix.SECCOMP_RET_KILL_PROCESS},
		{Code: load, K: seccompNumber},
		{Code: atLeast, K: x32Bit, Jf: 1},
		{Code: ret, K: absent},
	}
	refuseUnless := func(name string, test unix.SockFilter) {
		if number, ok := info.SyscallNames[name]; ok {
			filter = append(filter,
				unix.SockFilter{Code: equal, K: uint32(number), Jf: 4},
				unix.SockFilter{Code: load, K: seccompArg0},
				test, // skips one when it holds
				unix.SockFilter{Code: ret, K: refuse},
				unix.SockFilter{Code: ret, K: allow})
		}
	}
	for _, name := range deniedCalls() {
		if number, ok := info.SyscallNames[name]; ok {
			filter = append(filter,
				unix.SockFilter{Code: equal, K: uint32(number), Jf: 1}, unix.SockFilter{Code: ret, K: refuse})
		}
	}
	// Without clone3, whose flags a filter cannot see, glibc falls back to clone; and that may only make threads.
	if number, ok := info.SyscallNames["clone3"]; ok {
		filter = append(filter,
			unix.SockFilter{Code: equal, K: uint32(number), Jf: 1}, unix.SockFilter{Code: ret, K: absent})
	}
	refuseUnless("clone", unix.SockFilter{Code: bits, K: unix.CLONE_THREAD, Jt: 1})
	// Go's runtime signals its own threads.
	refuseUnless("tgkill", unix.SockFilter{Code: equal, K: uint32(os.Getpid()), Jt: 1})
	filter = append(filter, unix.SockFilter{Code: ret, K: allow})

	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC,
		uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return errno
	}
	return nil
}

// enterLandlock denies every file by name, TCP, and signals to and abstract sockets of other processes, as far as the
// kernel knows how to.
func enterLandlock() error {
	const createRulesetVersion = 1
	abi, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, createRulesetVersion)
	if errno != 0 {
		return errno
	}
	var attr unix.LandlockRulesetAttr
	attr.Handled_access_fs = unix.LANDLOCK_ACCESS_FS_MAKE_SYM<<1 - 1 // the thirteen rights of the first version
	if abi >= 2 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if abi >= 3 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if abi >= 4 {
		attr.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	}
	if abi >= 5 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	if abi >= 6 {
		attr.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
	}
	// An older kernel takes a longer structure as long as what it does not know is zero.
	ruleset, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)),
		unsafe.Sizeof(attr), 0)
	if errno != 0 {
		return fmt.Errorf("ruleset: %w", errno)
	}
	defer func() { _ = unix.Close(int(ruleset)) }()
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0, 0); errno != 0 {
		return fmt.Errorf("restrict: %w", errno)
	}
	return nil
}

package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/kadr-app/kadr/internal/account"
	"github.com/kadr-app/kadr/internal/app"
	"github.com/kadr-app/kadr/internal/config"
	"github.com/kadr-app/kadr/internal/variant"
)

const adminUsage = `Usage: kadr admin COMMAND

  list                        every account, with what it holds
  create NAME [--role=admin]  make an account; the password is read from standard input
  password NAME               set a password, read from standard input; ends the account's sessions
  role NAME admin|member      appoint an administrator, or a member
  quota NAME BYTES|none       say how many bytes an account may hold
  invite [--valid=168h]       print a code that lets one person register
  signing-key [rotate]        print the key that links are signed with, in base64url; rotate makes a new one,
                              and the one before stays valid until the next rotation

The server may run beside it.`

// admin looks after accounts.
func admin(ctx context.Context, cfg config.Config, log *slog.Logger, args []string) error {
	if len(args) == 0 {
		return errUsage(adminUsage)
	}
	flags := flag.NewFlagSet("admin", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	role := flags.String("role", string(account.RoleMember), "")
	valid := flags.Duration("valid", 7*24*time.Hour, "")
	words, err := parseMixed(flags, args[1:])
	if err != nil {
		return errUsage(adminUsage)
	}
	var do func(*account.Service) error
	switch action := args[0]; {
	case action == "list" && len(words) == 0:
		do = func(s *account.Service) error { return listAccounts(ctx, s) }
	case action == "create" && len(words) == 1:
		do = func(s *account.Service) error { return createAccount(ctx, s, words[0], account.Role(*role)) }
	case action == "password" && len(words) == 1:
		do = func(s *account.Service) error { return setPassword(ctx, s, words[0]) }
	case action == "role" && len(words) == 2:
		do = func(s *account.Service) error { return s.SetRole(ctx, words[0], account.Role(words[1])) }
	case action == "quota" && len(words) == 2:
		do = func(s *account.Service) error { return setQuota(ctx, s, words[0], words[1]) }
	case action == "invite" && len(words) == 0:
		do = func(s *account.Service) error { return invite(ctx, s, *valid) }
	case action == "signing-key" && (len(words) == 0 || len(words) == 1 && words[0] == "rotate"):
		return app.WithSigningKeys(ctx, cfg, log, func(k *variant.Keys) error { return signingKey(ctx, k, len(words) == 1) })
	default:
		return errUsage(adminUsage)
	}
	return app.WithAccounts(ctx, cfg, log, do)
}

// parseMixed lets flags stand before, between and after the words.
func parseMixed(flags *flag.FlagSet, args []string) (words []string, err error) {
	for {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		if flags.NArg() == 0 {
			return words, nil
		}
		words, args = append(words, flags.Arg(0)), flags.Args()[1:]
	}
}

func listAccounts(ctx context.Context, s *account.Service) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tROLE\tIMAGES\tBYTES\tQUOTA\tCREATED")
	after := ""
	for {
		page, err := s.ListAccounts(ctx, after, account.MaxPage)
		if err != nil {
			return err
		}
		for _, a := range page {
			quota := "none"
			if a.Usage.QuotaBytes != nil {
				quota = strconv.FormatInt(*a.Usage.QuotaBytes, 10)
			}
			fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\t%s\n", a.Name, a.Role, a.Usage.Images, a.Usage.Bytes, quota, a.CreatedAt.UTC().Format(time.DateOnly))
			after = a.Name
		}
		if len(page) < account.MaxPage {
			return w.Flush()
		}
	}
}

func createAccount(ctx context.Context, s *account.Service, name string, role account.Role) error {
	password, err := readPassword()
	if err != nil {
		return err
	}
	a, err := s.CreateAccount(ctx, account.AccountRequest{Name: name, Password: password, Role: role})
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "Made %s, %s.\n", a.Name, a.Role)
	return nil
}

func setPassword(ctx context.Context, s *account.Service, name string) error {
	password, err := readPassword()
	if err != nil {
		return err
	}
	return s.SetPassword(ctx, name, password)
}

// readPassword takes one line from standard input, so that a password is in no process list and no shell history.
func readPassword() (string, error) {
	if st, err := os.Stdin.Stat(); err == nil && st.Mode()&os.ModeCharDevice != 0 {
		fmt.Fprint(os.Stderr, "Password (it will be seen): ")
	}
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}

func setQuota(ctx context.Context, s *account.Service, name, quota string) error {
	if quota == "none" {
		return s.SetQuota(ctx, name, nil)
	}
	bytes, err := strconv.ParseInt(quota, 10, 64)
	if err != nil {
		return errUsage("A quota is a number of bytes, or none.")
	}
	return s.SetQuota(ctx, name, &bytes)
}

// signingKey prints the current key, after making a new one if that is wanted.
func signingKey(ctx context.Context, k *variant.Keys, rotate bool) error {
	if rotate {
		if err := k.Rotate(ctx); err != nil {
			return err
		}
	}
	key, err := k.Current(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, base64.RawURLEncoding.EncodeToString(key))
	return nil
}

func invite(ctx context.Context, s *account.Service, valid time.Duration) error {
	code, expires, err := s.Invite(ctx, valid)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "%s\nIt lets one person register until %s.\n", code, expires.UTC().Format("2006-01-02 15:04Z"))
	return nil
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/kadr-app/kadr/gen/client"
)

// atOnce is how many files are sent at a time.
const atOnce = 3

const uploadHelp = `Stores pictures on an instance and prints their links, a line each, in the order of the files. "-" is standard input.

The instance and the API key are those of KADR_URL and KADR_API_KEY, or else those that kadr login has kept. The key needs
the scope images:write.

Files of more than 8 MiB go in parts, and go on where a broken connection stopped them. What fails for a while is tried
again, and no picture is stored twice by that. The same picture again gets the link that it has already.

Exit codes: 0 everything is stored; 1 something is not, and standard error says what and why; 2 the command line or a
setting is wrong; 3 nobody is signed in, or the key may not upload; 130 interrupted.`

const uploadExamples = `  kadr upload sunset.jpg
  kadr upload --format=markdown --visibility=public *.jpg
  kadr upload -r holiday/
  screenshot | kadr upload --filename=screen.png -`

// uploadFlags are the command line's.
type uploadFlags struct {
	format, filename, visibility, title, description string
	recursive, quiet, keepMetadata, allowDuplicate   bool
}

func uploadCommand(s Settings) *cobra.Command {
	var f uploadFlags
	cmd := &cobra.Command{
		Use: "upload [flags] FILE…", Short: "store pictures on an instance and print their links",
		Long: uploadHelp, Example: uploadExamples,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return Usagef("say which files to upload, or - for standard input")
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVarP(&f.format, "format", "f", "url", "what to print of each picture: url, markdown or json")
	flags.BoolVarP(&f.recursive, "recursive", "r", false, "take the pictures in folders")
	flags.StringVar(&f.filename, "filename", "", "the `name` of one file, or of standard input")
	flags.StringVar(&f.visibility, "visibility", "", "public, unlisted or private (default: the account's choice)")
	flags.StringVar(&f.title, "title", "", "title of each picture")
	flags.StringVar(&f.description, "description", "", "what each picture shows (alt text)")
	flags.BoolVar(&f.keepMetadata, "keep-metadata", false, "keep location, serial numbers and the like in the file (default: the account's choice)")
	flags.BoolVar(&f.allowDuplicate, "allow-duplicate", false, "make another picture even if the account has these bytes")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "print no progress, and nothing of attempts that are repeated")
	for name, values := range map[string][]string{"format": formats(), "visibility": visibilities()} {
		if err := cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
			panic(err) // only for a flag that is not there
		}
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		about, err := f.check(flags.Changed)
		if err != nil {
			return err
		}
		to, err := signedIn(s)
		if err != nil {
			return err
		}
		sources, err := findSources(args, f.filename, f.recursive)
		if err != nil {
			return err
		}
		u := &uploader{
			to: to, about: about, format: f.format, patience: s.patience, stdin: cmd.InOrStdin(),
			screen: newScreen(cmd.OutOrStdout(), cmd.ErrOrStderr(), f.quiet, len(sources)),
		}
		return u.upload(cmd.Context(), sources)
	}
	return cmd
}

func visibilities() []string {
	return []string{string(client.VisibilityPublic), string(client.VisibilityUnlisted), string(client.VisibilityPrivate)}
}

// check returns what the flags say of the pictures. What the contract bounds, the instance checks.
func (f uploadFlags) check(given func(string) bool) (about client.UploadComplete, err error) {
	if !slices.Contains(formats(), f.format) {
		return about, Usagef("--format must be url, markdown or json")
	}
	if given("visibility") {
		if !slices.Contains(visibilities(), f.visibility) {
			return about, Usagef("--visibility must be public, unlisted or private")
		}
		about.Visibility = new(client.Visibility(f.visibility))
	}
	if given("filename") && (f.filename == "" || cleanFilename(f.filename) != f.filename) {
		return about, Usagef("--filename must be a file's name, without a folder")
	}
	if given("title") {
		about.Title = &f.title
	}
	if given("description") {
		about.Description = &f.description
	}
	if given("keep-metadata") {
		about.KeepMetadata = &f.keepMetadata
	}
	if given("allow-duplicate") {
		about.AllowDuplicate = &f.allowDuplicate
	}
	return about, nil
}

// uploader brings any number of files to an instance.
type uploader struct {
	to       *instance
	about    client.UploadComplete
	format   string
	patience patience
	stdin    io.Reader
	screen   *screen
}

// errStopped ends what is under way when another file was refused for a reason that counts for all of them.
var errStopped = errors.New("not sent")

// outcome is what came of one file.
type outcome struct {
	picture stored
	err     error
}

// upload sends the files, some at a time, and prints what came of them in their order.
func (u *uploader) upload(parent context.Context, sources []source) error {
	ctx, stop := context.WithCancelCause(parent)
	defer stop(nil)
	for _, s := range sources {
		u.screen.expect(max(0, s.size))
	}
	outcomes := make([]chan outcome, len(sources))
	for i := range outcomes {
		outcomes[i] = make(chan outcome, 1)
	}
	var senders errgroup.Group
	senders.SetLimit(atOnce)
	go func() {
		for i, s := range sources {
			senders.Go(func() error {
				picture, err := u.one(ctx, s)
				var no *problem
				if errors.As(err, &no) && no.refused() {
					stop(errStopped)
				}
				outcomes[i] <- outcome{picture, err}
				return nil
			})
		}
	}()

	failed := 0
	var refused error
	for i, s := range sources {
		o := <-outcomes[i]
		var no *problem
		switch {
		case o.err == nil:
			if err := u.screen.print(format(u.format, o.picture)); err != nil {
				stop(err)
				return err
			}
			continue
		case parent.Err() != nil: // told below, once
		case errors.Is(o.err, errStopped): // the refusal below says why
		case errors.As(o.err, &no) && no.refused():
			refused = o.err
		default:
			u.screen.tell("%s: %v", printable(s.name), o.err)
		}
		failed++
	}
	u.screen.end()
	switch {
	case failed == 0:
		return nil
	case parent.Err() != nil:
		return exitError{ExitInterrupted, errors.New("interrupted")}
	case refused != nil:
		return exitError{ExitRefused, refused}
	case len(sources) == 1:
		return exitError{ExitFailed, errTold}
	}
	return exitError{ExitFailed, fmt.Errorf("%d of %d files are not stored", failed, len(sources))}
}

func (u *uploader) one(ctx context.Context, s source) (stored, error) {
	if s.err != nil {
		return stored{}, s.err
	}
	if ctx.Err() != nil {
		return stored{}, context.Cause(ctx)
	}
	told := func(err error, wait time.Duration) {
		u.screen.hint("%s: %v; once more in %v", printable(s.name), err, wait.Round(100*time.Millisecond))
	}
	file, size, err := s.open(ctx, u.stdin, func(ctx context.Context) (int64, error) {
		return retry(ctx, u.patience, told, func() (int64, error) { return u.mostBytes(ctx) })
	})
	if err != nil {
		return stored{}, err
	}
	defer file.Close()
	u.screen.expect(size - max(0, s.size))
	about := u.about
	if s.filename != "" {
		about.Filename = &s.filename
	}
	out := &sender{to: u.to, file: file, size: size, about: about, patience: u.patience, moved: u.screen.moved, told: told}
	return out.send(ctx)
}

// mostBytes is how large a picture may be there.
func (u *uploader) mostBytes(ctx context.Context) (int64, error) {
	r, err := u.to.GetInstanceWithResponse(ctx, nil)
	if err == nil && r.JSON200 == nil {
		err = errNotKadr
	}
	if err != nil {
		return 0, err
	}
	return r.JSON200.MaxUploadBytes, nil
}

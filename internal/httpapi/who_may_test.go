package httpapi_test

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/kadr-app/kadr/internal/account"
	"github.com/kadr-app/kadr/internal/token"
)

// whoMay says of each operation, in the contract's order, who may do it: by the status of the replies.
//
// Where it is about a picture there are four: for a private, an unlisted, a public and a deleted one. Where it is about another
// thing by its id that is the owner's, and else everybody's own. Others are another account and an administrator, by a session
// or by a key of all scopes: the role is for the command line, and shows nobody's pictures. A key needs one of the scopes;
// "session" takes none, and where there is "-" nobody looks at a login.
const whoMay = `
operation            about    no login         owner            others           a key needs

createAccount        -        201              201              201              -
getAccount           -        401              200              200              account:read
updateAccount        -        401              200              200              session
deleteAccount        -        401              204              400              session
getAccountUsage      -        401              200              200              account:read
listAccountImages    -        200              200              200              -

createSession        -        201              201              201              -
listSessions         -        401              200              200              session
deleteSessions       -        401              204              204              session
deleteCurrentSession -        401              204              204              session
deleteSession        session  401              204              404              session

createAPIKey         -        401              201              201              session
listAPIKeys          -        401              200              200              session
deleteCurrentAPIKey  -        401              404              404              images:read,images:write,images:delete,account:read
deleteAPIKey         key      401              204              404              session

uploadImage          -        401              201              201              images:write
listImages           -        401              200              200              images:read
bulkUpdateImages     picture  401/401/401/401  200/200/200/200  200/200/200/200  images:write,images:delete
getImage             picture  404/200/200/410  200/200/200/410  404/200/200/410  images:read
updateImage          picture  401/401/401/401  200/200/200/410  404/404/404/410  images:write
deleteImage          picture  401/401/401/401  204/204/204/410  404/404/404/410  images:delete
createImageVariants  picture  404/200/200/410  200/200/200/410  404/200/200/410  images:read
createImageLink      picture  401/401/401/401  200/200/200/410  404/404/404/410  images:read

createUpload         -        401              201              201              images:write
getUpload            upload   401              200              404              images:write
appendUpload         upload   401              200              404              images:write
deleteUpload         upload   401              204              404              images:write
completeUpload       whole    401              201              404              images:write

listFeed             -        200              200              200              -
getFile              picture  404/200/200/410  200/200/200/410  404/200/200/410  images:read
getOEmbed            picture  404/200/200/410  404/200/200/410  404/200/200/410  -

getInstance          -        200              200              200              -
getHealth            -        200              200              200              -
getReadiness         -        200              200              200              -
getContractYAML      -        200              200              200              -
getContractJSON      -        200              200              200              -
getDocs              -        200              200              200              -
`

// request is what the table's operations are asked with: {id} is the thing, {owner} its owner's name, and {new} a name that
// nobody has. Where there is no body a picture is sent to those that take one.
type request struct {
	query, body string
	bodies      map[account.Scope]string // instead of body, by a key with that scope alone
	byKey       int                      // the status that a key gets instead
}

func requestOf(operation string) request {
	const login = `{"name":"{owner}","password":"` + password + `"}`
	return map[string]request{
		"createAccount": {body: strings.Replace(login, "{owner}", "{new}", 1)},
		"updateAccount": {body: `{"keep_metadata":true}`},
		"deleteAccount": {query: "?confirm={owner}"}, // others confirm a name that is not theirs
		"createSession": {body: login},
		"createAPIKey":  {body: `{"name":"x","scopes":["images:read"]}`},
		"bulkUpdateImages": { // says not_found of what is not one's own
			body: `{"action":"set_visibility","visibility":"private","ids":["{id}"]}`,
			bodies: map[account.Scope]string{
				account.ScopeImagesDelete: `{"action":"delete","ids":["{id}"]}`,
				account.ScopeImagesWrite:  `{"action":"set_visibility","visibility":"private","ids":["{id}"]}`,
			},
		},
		"deleteCurrentAPIKey": {byKey: http.StatusNoContent}, // a session is no key
		"updateImage":         {body: `{"title":"x"}`},
		"createImageVariants": {body: `{"variants":[{"format":"webp","w":30}]}`},
		"createImageLink":     {body: `{"expires_in":60}`},
		"createUpload":        {body: `{"size":1}`},
		"appendUpload":        {body: "the first bytes"},
		"completeUpload":      {body: `{}`},
		"getOEmbed":           {query: "?url=" + publicURL + "/i/{id}.png"},
	}[operation]
}

// right is a line of the table.
type right struct {
	operation
	request
	about                   string
	stranger, owner, others []int
	scopes                  []account.Scope
}

// kinds are those of a thing, as the table's statuses are for them.
func (r right) kinds() []string {
	if r.about == "picture" {
		return []string{"private", "unlisted", "public", "deleted"}
	}
	return []string{""}
}

// rights reads the table, and holds it against the contract.
func rights(t *testing.T) (all []right) {
	t.Helper()
	known := map[string]operation{}
	for _, op := range operations(t) {
		known[op.OperationID] = op
	}
	statuses := func(list string) (all []int) {
		for s := range strings.SplitSeq(list, "/") {
			n, err := strconv.Atoi(s)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, n)
		}
		return all
	}
	for line := range strings.Lines(strings.SplitAfterN(whoMay, "\n", 3)[2]) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		op, ok := known[f[0]]
		if !ok {
			t.Errorf("the table has %s, which the contract has not, or twice", f[0])
			continue
		}
		delete(known, f[0])
		r := right{operation: op, request: requestOf(f[0]), about: f[1], stranger: statuses(f[2]), owner: statuses(f[3]), others: statuses(f[4])}
		if keys := f[5]; op.takes("apiKey") {
			for s := range strings.SplitSeq(keys, ",") {
				r.scopes = append(r.scopes, account.Scope(s))
			}
			if got := strings.Join(op.scopes(), ","); got != keys {
				t.Errorf("%s: the contract's scopes are %s, the table's %s", f[0], got, keys)
			}
		} else if (keys == "session") != op.takes("session") {
			t.Errorf("%s: the table says that a key needs %s, and the contract something else", f[0], keys)
		}
		if open := r.stranger[len(r.kinds())/2] != http.StatusUnauthorized; open != op.optional() {
			t.Errorf("%s: by the contract a login is optional (%v), by the table not, or the other way round", f[0], op.optional())
		}
		for _, status := range slices.Concat(r.stranger, r.owner, r.others) {
			if op.Responses.Status(status) == nil {
				t.Errorf("%s: the contract does not list %d", f[0], status)
			}
		}
		all = append(all, r)
	}
	for id := range known {
		t.Errorf("the table has no line for %s", id)
	}
	return all
}

// thing makes what a line is about.
func (c *client) thing(about, kind string) (id string) {
	c.t.Helper()
	switch about {
	case "picture":
		visibility := strings.Replace(kind, "deleted", "public", 1)
		id = c.stored(pngOf(token.ID(), 20, 20), "?visibility="+visibility).ID
		if kind == "deleted" {
			c.do("DELETE", "/api/v1/images/"+id, nil).want(204)
		}
		return id
	case "upload":
		id = c.begin(1000, "").ID
	case "whole":
		id = c.arrived(pngOf(token.ID(), 20, 20))
	case "key":
		var made struct{ ID string }
		c.do("POST", "/api/v1/api-keys", object{"name": "x", "scopes": []string{"images:read"}}).want(201).into(&made)
		id = made.ID
	case "session":
		c.browser()
		var list struct {
			Items []struct {
				ID      string
				Current bool
			}
		}
		c.get("/api/v1/sessions").want(200).into(&list)
		for _, s := range list.Items {
			if !s.Current {
				id = s.ID
			}
		}
	}
	return id
}

// ask does what a line says, to a thing of its owner's. Of a key with one scope it asks what that is for.
func (c *client) ask(r right, id, owner string, scopes ...account.Scope) *reply {
	c.t.Helper()
	fill := strings.NewReplacer("{id}", id, "{owner}", owner, "{name}", owner, "{new}", "n"+token.ID(), "{file}", id+".png").Replace
	text := r.body
	if len(scopes) == 1 && r.bodies[scopes[0]] != "" {
		text = r.bodies[scopes[0]]
	}
	var body any
	var headers []string
	if mediaType := r.mediaType(); mediaType != "" {
		headers = append(headers, "Content-Type: "+mediaType)
		body = []byte(fill(text))
		if text == "" {
			body = pngOf(token.ID(), 20, 20)
		}
	}
	if r.OperationID == "appendUpload" {
		headers = append(headers, "Upload-Offset: 0")
	}
	return c.do(r.method, fill(r.path+r.query), body, headers...)
}

// holding returns a client with a new key of the person.
func (c *client) holding(scopes ...account.Scope) *client {
	c.t.Helper()
	names := make([]string, len(scopes))
	for i, s := range scopes {
		names[i] = string(s)
	}
	return c.program(names...)
}

var timesOfUse = regexp.MustCompile(`"(last_used_at|expires_at)":("[^"]*"|null)`)

// belongings is all that an account has, without the times at which it is used.
func (c *client) belongings(r right, id string) string {
	c.t.Helper()
	var b strings.Builder
	paths := []string{"/account", "/account/usage", "/sessions", "/api-keys", "/images"}
	if r.about == "upload" || r.about == "whole" {
		paths = append(paths, "/uploads/"+id)
	}
	for _, path := range paths {
		b.Write(timesOfUse.ReplaceAll(c.get("/api/v1"+path).want(200).body, nil))
	}
	return b.String()
}

// TestWhoMay has everybody try every operation of the contract, on things that are really there. Whoever has no right to a
// thing leaves it, and whatever else its owner has, as it is.
func TestWhoMay(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	administrator := func(t *testing.T) *client {
		t.Helper()
		c := in.person(t)
		if _, err := in.db.Pool.Exec(t.Context(), "UPDATE accounts SET role = 'admin' WHERE name = $1", c.name); err != nil {
			t.Fatal(err)
		}
		return c
	}
	administrator(t) // so that none of the others is the last one, who may not leave
	for _, r := range rights(t) {
		t.Run(r.OperationID, func(t *testing.T) {
			t.Parallel()
			for i, kind := range r.kinds() {
				owner := in.person(t)
				id := owner.thing(r.about, kind)
				try := func(who string, status int, does func() *reply) *reply {
					t.Helper()
					before := owner.belongings(r, id)
					got := does()
					if got.StatusCode != status {
						t.Errorf("%s %s gets %d, not %d: %s", who, kind, got.StatusCode, status, got.body)
					}
					// Whoever knows the password may sign in.
					if after := owner.belongings(r, id); after != before && r.OperationID != "createSession" {
						t.Errorf("by %s the owner's things (%s) became\n%s\nand were\n%s", who, kind, after, before)
					}
					return got
				}
				try("a stranger", r.stranger[i], func() *reply { return in.stranger(t).ask(r, id, owner.name) })
				for who, other := range map[string]*client{"another": in.person(t), "an administrator": administrator(t)} {
					withKey := other.holding(account.Scopes()...)
					got := try(who, r.others[i], func() *reply { return other.ask(r, id, owner.name) })
					if r.OperationID == "bulkUpdateImages" && !strings.Contains(string(got.body), `"outcome":"not_found"`) {
						t.Errorf("%s did something: %s", who, got.body)
					}
					status := r.others[i]
					switch {
					case r.byKey != 0:
						status = r.byKey
					case r.takes("session") && !r.takes("apiKey"):
						status = http.StatusForbidden
					}
					try(who+"'s key", status, func() *reply { return withKey.ask(r, id, owner.name) })
				}
				r.tryWithoutRight(t, owner, id, try)
			}
			for i, kind := range r.kinds() {
				owner := in.person(t)
				owner.ask(r, owner.thing(r.about, kind), owner.name).want(r.owner[i])
				for _, scope := range r.scopes {
					owner := in.person(t)
					id, status := owner.thing(r.about, kind), r.owner[i]
					if r.byKey != 0 {
						status = r.byKey
					}
					owner.holding(scope).ask(r, id, owner.name, scope).want(status)
				}
			}
		})
	}
}

// tryWithoutRight has the owner's keys try what keys may not do, or not these.
func (r right) tryWithoutRight(t *testing.T, owner *client, id string, try func(string, int, func() *reply) *reply) {
	t.Helper()
	if !r.takes("session") {
		return
	}
	if !r.takes("apiKey") {
		withKey := owner.holding(account.Scopes()...)
		try("a key", http.StatusForbidden, func() *reply { return withKey.ask(r, id, owner.name) }).problem(http.StatusForbidden, "session_needed")
		// A cookie beside a key does not help: the key is what counts.
		both := owner.as(t)
		both.key = withKey.key
		try("a key with a cookie", http.StatusForbidden, func() *reply { return both.ask(r, id, owner.name) }).problem(http.StatusForbidden, "session_needed")
		return
	}
	others := slices.DeleteFunc(account.Scopes(), func(s account.Scope) bool { return slices.Contains(r.scopes, s) })
	if len(others) > 0 { // a key has at least one
		withKey := owner.holding(others...)
		for _, spoiled := range []bool{false, true} { // the login comes before whether the request makes sense
			p := try("a key of other scopes", http.StatusForbidden, func() *reply {
				if spoiled {
					return withKey.call(r.operation, id, true)
				}
				return withKey.ask(r, id, owner.name)
			}).problem(http.StatusForbidden, "missing_scope")
			for _, s := range r.scopes {
				if !strings.Contains(p.Detail, string(s)) {
					t.Errorf("%q does not name %s", p.Detail, s)
				}
			}
		}
	}
	for scope := range r.bodies { // each of several scopes is for something else
		for _, other := range r.scopes {
			if other != scope {
				withKey := owner.holding(other)
				try("a key with "+string(other), http.StatusForbidden, func() *reply { return withKey.ask(r, id, owner.name, scope) }).
					problem(http.StatusForbidden, "missing_scope")
			}
		}
	}
}

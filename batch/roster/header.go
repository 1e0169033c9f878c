package roster

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// usernameNames are the column names, as [normal] has them, under which exports
// carry what Cognito calls the username. A column of such a name is taken by
// itself.
var usernameNames = nameSet(
	"username", "cognito:username", "user pool username",
	"Benutzername", "Nutzername", "Anmeldename", // German
	"nom d'utilisateur", "nom d’utilisateur", "nom utilisateur", // French
	"nombre de usuario", "nome utente", "nome de usuário", "nome de utilizador", // Spanish, Italian, Portuguese
	"gebruikersnaam", "användarnamn", "brugernavn", "brukernavn", "käyttäjätunnus", "käyttäjänimi", // Dutch, Nordic
	"nazwa użytkownika", "uživatelské jméno", "felhasználónév", "kullanıcı adı", // Polish, Czech, Hungarian, Turkish
	"имя пользователя", "ユーザー名", "ユーザ名", "用户名", "使用者名稱", "사용자 이름", // Russian, Japanese, Chinese, Korean
)

// otherNames are the other names that surely stand in a header: of columns that
// hold some kind of user, but not always the username. Words that could as well
// be somebody's username, such as user, admin, login, mail or name, are left out.
var otherNames = nameSet(
	"id", "user id", "account id", "customer id", "member id", "employee id", "sub", "user sub", "cognito sub", "uuid", "guid", "Benutzer-ID", "Kunden-ID",
	"email", "email address", "email addresses", "emails", "user email", "primary email", "work email", "email verified", "mail address",
	"E-Mail-Adresse", "Mailadresse", "adresse e-mail", "adresse mail", "adresse électronique", "courriel",
	"correo electrónico", "correo", "dirección de correo electrónico", "indirizzo e-mail", "indirizzo email", "posta elettronica",
	"endereço de e-mail", "e-mailadres", "e-postadress", "e-post", "e-postadresse", "e-mailadresse", "sähköposti", "adres e-mail", "e-mailová adresa",
	"e-posta", "e-posta adresi", "электронная почта", "メールアドレス", "电子邮件", "电子邮件地址", "電子郵件", "이메일",
	"phone", "phone number", "phone numbers", "mobile phone", "mobile number", "cell phone", "telephone number", "phone number verified",
	"Telefonnummer", "Handynummer", "Mobilnummer", "numéro de téléphone", "téléphone", "número de teléfono", "teléfono",
	"numero di telefono", "número de telefone", "telefone", "telefoonnummer", "numer telefonu", "номер телефона", "電話番号", "电话号码", "手机号", "전화번호",
	"preferred username", "user principal name", "samaccountname", "user status", "given name", "family name", "first name", "last name", "display name",
)

func nameSet(names ...string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[normal(name)] = true
	}
	return set
}

// normal is a column's name without what exports vary: case, spaces, hyphens and
// underscores. A dot stays: first.name is a person.
func normal(name string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case ' ', '_', '-', '\u00a0', '\ufeff':
			return -1
		}
		return r
	}, strings.ToLower(trim(name)))
}

// isUsernameName reports whether a column of that name holds the username.
func isUsernameName(name string) bool { return usernameNames[normal(name)] }

// isColumnName reports whether a name surely stands in a header.
func isColumnName(name string) bool {
	if tooLong(name) {
		return false
	}
	n := normal(name)
	return usernameNames[n] || otherNames[n]
}

// longestName is the number of characters of the longest name in either set.
var longestName = func() (longest int) {
	for _, names := range []map[string]bool{usernameNames, otherNames} {
		for name := range names {
			longest = max(longest, utf8.RuneCountInString(name))
		}
	}
	return longest
}()

// tooLong reports, at a glance, whether a text has more characters than any name, or
// a digit, which none has. It is asked of every row.
func tooLong(text string) bool {
	letters := 0
	for i := range len(text) {
		switch c := text[i]; {
		case c >= '0' && c <= '9':
			return true
		case c > ' ' && c < utf8.RuneSelf && c != '-' && c != '_':
			if letters++; letters > longestName {
				return true
			}
		}
	}
	return false
}

// columnsNamed are the columns of a name as it is written or, if there are
// none, in any case.
func columnsNamed(header []string, name string) []int {
	if at := columnsWhere(header, func(column string) bool { return trim(column) == name }); len(at) > 0 {
		return at
	}
	return columnsWhere(header, func(column string) bool { return strings.EqualFold(trim(column), name) })
}

func columnsWhere(header []string, match func(string) bool) (at []int) {
	for i, column := range header {
		if match(column) {
			at = append(at, i)
		}
	}
	return at
}

// likeValue is what column names do not look like, but the values below them do.
var likeValue = regexp.MustCompile(`@|[0-9]{3}|^\+`)

// listColumns says what columns there are. It never shows what may be users: a
// line is a header for sure only if it has a known name in it.
func listColumns(names []string) string {
	if !slices.ContainsFunc(names, isColumnName) {
		if len(names) == 1 {
			return "the only column has no known name, and is not shown in case it is a user"
		}
		return fmt.Sprintf("the %d columns have no known names, and are not shown in case they are users", len(names))
	}
	var shown []string
	hidden := 0
	for _, name := range names {
		if name = trim(name); name == "" || likeValue.MatchString(name) || len(name) > 64 {
			hidden++
		} else {
			shown = append(shown, strconv.Quote(name))
		}
	}
	text := "the columns are " + strings.Join(shown, ", ")
	if hidden > 0 {
		text += fmt.Sprintf(" and %d more", hidden)
	}
	return text
}

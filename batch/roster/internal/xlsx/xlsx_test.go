package xlsx

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
)

// made is a workbook with what fill puts on its first sheet.
func made(t testing.TB, fill func(f *excelize.File, sheet string) error) []byte {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	if err := fill(f, "Sheet1"); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// changed is a workbook in which parts were replaced, or added.
func changed(t testing.TB, book []byte, parts map[string]string) []byte {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(book), int64(len(book)))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, part := range r.File {
		if _, other := parts[part.Name]; !other {
			if err := w.Copy(part); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, text := range parts {
		p, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(p, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// read is what a workbook's first sheet holds, in short, or the error.
func read(book []byte) (rows []string, err error) {
	b, err := Open(bytes.NewReader(book))
	if err != nil {
		return nil, err
	}
	r, err := b.Rows(b.Sheets[0])
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for {
		row, err := r.Next()
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return rows, err
		}
		text := fmt.Sprint(row.Number)
		for _, c := range row.Cells {
			text += fmt.Sprintf(" %s/%d", c.Text, c.Kind)
		}
		rows = append(rows, text)
	}
}

func TestCellsAreWhatTheyAre(t *testing.T) {
	book := made(t, func(f *excelize.File, sheet string) error {
		zeros, date := "00000", `"am" dd/mm/yyyy`
		padded, err := f.NewStyle(&excelize.Style{CustomNumFmt: &zeros})
		day, err2 := f.NewStyle(&excelize.Style{CustomNumFmt: &date})
		clock, err3 := f.NewStyle(&excelize.Style{NumFmt: 22})
		return errors.Join(err, err2, err3,
			f.SetSheetRow(sheet, "A1", &[]any{"text", " spaced ", "0049", "1E+5", "_x0041_", 1002003, 491701234568, -5, 0.5, true, false}),
			f.SetCellValue(sheet, "A2", 7), f.SetCellStyle(sheet, "A2", "A2", padded),
			f.SetCellValue(sheet, "B2", 46204), f.SetCellStyle(sheet, "B2", "B2", day),
			f.SetCellValue(sheet, "C2", 46204.5), f.SetCellStyle(sheet, "C2", "C2", clock),
			f.SetCellFormula(sheet, "D2", "1+1"),
			f.SetCellValue(sheet, "E2", 491701000000), f.SetCellDefault(sheet, "F2", "1.2345678901234568E+17"),
			f.SetCellRichText(sheet, "G2", []excelize.RichTextRun{{Text: "gi"}, {Text: "na", Font: &excelize.Font{Bold: true}}}),
			f.SetCellValue(sheet, "AB4", "far"))
	})
	rows, err := read(book)
	want := []string{
		"1 text/1  spaced /1 0049/1 1E+5/1 A/1 1002003/2 491701234568/2 -5/2 0.5/3 TRUE/7 FALSE/7",
		"2 7/5 2026-07-01/6 2026-07-01T12:00:00/6 /9 491701000000/4 1.2345678901234568E+17/4 gina/1",
		"4" + strings.Repeat(" /0", 27) + " far/1",
	}
	for i := range max(len(rows), len(want)) {
		if i >= len(rows) || i >= len(want) || rows[i] != want[i] {
			t.Errorf("row %d of\n%q, want\n%q", i, rows, want)
		}
	}
	if err != nil {
		t.Error(err)
	}
}

func TestOtherZipArchivesAreNamed(t *testing.T) {
	for name, want := range map[string]string{
		"content.xml": "zip archive: unpack it", "word/document.xml": "Word document", "xl/workbook.bin": "binary Excel workbook (.xlsb)", "Index/Document.iwa": "Numbers",
		"mimetype": "OpenDocument spreadsheet (.ods)", "users.csv": "zip archive: unpack it and give the files in it",
	} {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		p, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(p, "application/vnd.oasis.opendocument.spreadsheet")
		w.Close()
		if _, err := read(b.Bytes()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %s", name, err, want)
		}
	}
}

const sheet1 = "xl/worksheets/sheet1.xml"

// A workbook that is damaged anywhere is never a shorter list.
func TestADamagedWorkbookIsNeverAShorterList(t *testing.T) {
	book := made(t, func(f *excelize.File, sheet string) error {
		return errors.Join(f.SetCellValue(sheet, "A1", "username"), f.SetCellValue(sheet, "A2", "ann"), f.SetCellValue(sheet, "A3", "bob"))
	})
	for size := 0; size < len(book); size += 11 {
		if _, err := read(book[:size]); err == nil {
			t.Fatalf("%d of %d bytes were read", size, len(book))
		}
	}
	for at := 0; at < len(book); at += 11 {
		spoilt := bytes.Clone(book)
		spoilt[at] ^= 0x10
		if rows, err := read(spoilt); err == nil && len(rows) != 3 {
			t.Errorf("with byte %d changed: %q", at, rows)
		}
	}
	for name, xml := range map[string]string{
		"ends":            `<worksheet><sheetData><row r="1"><c t="inlineStr"><is><t>a</t></is></c></row>`,
		"text not there":  `<worksheet><sheetData><row r="1"><c t="s"><v>99</v></c></row></sheetData></worksheet>`,
		"no text":         `<worksheet><sheetData><row r="1"><c t="s"><v>x</v></c></row></sheetData></worksheet>`,
		"unknown type":    `<worksheet><sheetData><row r="1"><c t="z"><v>x</v></c></row></sheetData></worksheet>`,
		"rows turned":     `<worksheet><sheetData><row r="2"/><row r="1"/></sheetData></worksheet>`,
		"cells turned":    `<worksheet><sheetData><row r="1"><c r="B1"><v>1</v></c><c r="A1"><v>1</v></c></row></sheetData></worksheet>`,
		"too many rows":   `<worksheet><sheetData><row r="2000000"/></sheetData></worksheet>`,
		"too far":         `<worksheet><sheetData><row r="1"><c r="ZZZZ1"><v>1</v></c></row></sheetData></worksheet>`,
		"crossed":         `<worksheet><sheetData><row r="1"><c></row></c></sheetData></worksheet>`,
		"after the cells": `<worksheet><sheetData></sheetData><x>`,
	} {
		if rows, err := read(changed(t, book, map[string]string{sheet1: xml})); err == nil {
			t.Errorf("%s: %q", name, rows)
		}
	}
}

// Whatever a file asks for, it gets little memory, and an answer soon.
func TestABombIsRefused(t *testing.T) {
	book := made(t, func(f *excelize.File, sheet string) error { return f.SetCellValue(sheet, "A1", "username") })
	const much = 16 << 20
	begin := `<worksheet><sheetData><row r="1"><c t="inlineStr"><is><t>`
	for name, parts := range map[string]map[string]string{
		"a cell":     {sheet1: begin + strings.Repeat("a", much)},
		"depth":      {sheet1: "<worksheet>" + strings.Repeat("<a>", much/3)},
		"a tag":      {sheet1: "<worksheet><" + strings.Repeat("a", much)},
		"attributes": {sheet1: "<worksheet><a " + strings.Repeat(`a="" `, much/5)},
		"comment":    {sheet1: "<worksheet><!--" + strings.Repeat("a", much)},
		"text":       {"xl/sharedStrings.xml": "<sst><si><t>" + strings.Repeat("a", much)},
		"columns":    {sheet1: `<worksheet><sheetData><row r="1">` + strings.Repeat(`<c><v>1</v></c>`, much/15)},
		"styles":     {"xl/styles.xml": "<styleSheet>" + strings.Repeat("<a/>", maxAbout/4)},
		"pieces":     {sheet1: begin + "</t>" + strings.Repeat("<t>aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa</t>", much/47)},
	} {
		t.Run(name, func(t *testing.T) {
			bomb := changed(t, book, parts)
			clear(parts)
			before := allocated()
			if rows, err := read(bomb); err == nil {
				t.Errorf("read as %d rows", len(rows))
			} else if strings.Contains(err.Error(), "aaaaaaaaaaaaaaaa") {
				t.Errorf("the error shows what is in the file: %.80s", err)
			}
			if grown := allocated() - before; name != "pieces" && grown > 6*much {
				t.Errorf("%d MiB were allocated", grown>>20)
			}
		})
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// large is a workbook as Excel writes it, of users with UUIDs and e-mails.
func large(t testing.TB, rows int) []byte {
	t.Helper()
	var texts, sheet strings.Builder
	texts.WriteString("<sst><si><t>username</t></si><si><t>email</t></si>")
	sheet.WriteString(`<worksheet><sheetData>`)
	for i := range rows + 1 {
		fmt.Fprintf(&sheet, `<row r="%d" spans="1:2"><c r="A%[1]d" t="s"><v>%d</v></c><c r="B%[1]d" t="s"><v>%d</v></c></row>`, i+1, 2*i, 2*i+1)
		fmt.Fprintf(&texts, "<si><t>%08x-aaaa-4bbb-8ccc-%012d</t></si><si><t>user-%[2]d@example.com</t></si>", i*7919, i)
	}
	texts.WriteString("</sst>")
	sheet.WriteString(`</sheetData></worksheet>`)
	book := made(t, func(f *excelize.File, sheet string) error { return f.SetCellValue(sheet, "A1", "username") })
	return changed(t, book, map[string]string{"xl/sharedStrings.xml": texts.String(), sheet1: sheet.String()})
}

// readAll reads a workbook to its end and says how much was alive there, beside the
// file.
func readAll(t testing.TB, file []byte, rows int) (alive int64) {
	t.Helper()
	before := live()
	book, err := Open(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	r, err := book.Rows(book.Sheets[0])
	if err != nil {
		t.Fatal(err)
	}
	n := -2 // the header, and the last that is none
	for ; err == nil; n++ {
		_, err = r.Next()
	}
	if err != io.EOF || n != rows {
		t.Fatal(n, err)
	}
	alive = live() - before
	runtime.KeepAlive(book)
	return alive
}

func live() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// With 100 bytes a row, half of which is the text itself, a million rows fit into
// 300 MB, garbage included.
func TestRowsAreNotHeld(t *testing.T) {
	const rows = 20_000
	if alive := readAll(t, large(t, rows), rows); alive > 130*rows {
		t.Errorf("%d bytes a row", alive/rows)
	}
}

// BenchmarkMillion reads a workbook of a million rows.
func BenchmarkMillion(b *testing.B) {
	const rows = 1_000_000
	file := large(b, rows)
	for b.Loop() {
		b.ReportMetric(float64(readAll(b, file, rows))/rows, "live-B/row")
	}
}

// Whatever the bytes, a sheet is read to its end or refused, within its limits.
func FuzzSheet(f *testing.F) {
	book := made(f, func(x *excelize.File, sheet string) error { return x.SetCellValue(sheet, "A1", "username") })
	for _, xml := range []string{
		`<worksheet><sheetData><row r="1"><c r="A1" t="s"><v>0</v></c><c r="C1"><v>4.9E11</v></c></row></sheetData></worksheet>`,
		`<x:worksheet xmlns:x="y"><x:sheetData><x:row><x:c t="inlineStr"><x:is><x:r><x:t>a_x0041_</x:t></x:r></x:is></x:c></x:row></x:sheetData></x:worksheet>`,
		`<worksheet><sheetData><row hidden="1"><c t="b"><v>1</v></c><c t="e"><v>#N/A</v></c><c><f>A1</f></c><c t="str"><f>A1</f><v>x</v></c><c s="9"><v>-0</v></c></row></sheetData></worksheet>`,
	} {
		f.Add(xml)
	}
	f.Fuzz(func(t *testing.T, xml string) {
		b, err := Open(bytes.NewReader(changed(t, book, map[string]string{sheet1: xml})))
		if err != nil {
			t.Fatal(err)
		}
		r, err := b.Rows(b.Sheets[0])
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		last := 0
		for {
			row, err := r.Next()
			if err != nil {
				return
			}
			if row.Number <= last || row.Number > maxRows || len(row.Cells) > maxColumns {
				t.Fatalf("row %d follows row %d, with %d cells", row.Number, last, len(row.Cells))
			}
			last = row.Number
			for _, c := range row.Cells {
				if (c.Text == "") != (c.Kind == Empty || c.Kind == Uncalculated) {
					t.Fatalf("%+v", c)
				}
				if c.Kind == Whole && strings.Trim(c.Text, "-0123456789") != "" {
					t.Fatalf("%q is a whole number", c.Text)
				}
			}
		}
	})
}

// Whatever a file is, it is a workbook or refused with a sentence.
func FuzzOpen(f *testing.F) {
	f.Add(made(f, func(x *excelize.File, sheet string) error { return x.SetCellValue(sheet, "A1", "username") }))
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, file []byte) {
		b, err := Open(bytes.NewReader(file))
		if err != nil {
			if err.Error() == "" {
				t.Error("the error says nothing")
			}
			return
		}
		for _, s := range b.Sheets {
			r, err := b.Rows(s)
			if err != nil {
				continue
			}
			for err == nil {
				_, err = r.Next()
			}
			r.Close()
		}
	})
}

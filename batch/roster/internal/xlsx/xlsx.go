// Package xlsx reads an Excel workbook row by row, without holding its sheets in
// memory.
//
// Excelize reads what a workbook says about itself: its sheets, number formats and
// dates. The cells are read here, because the rows of excelize end without an
// error where a sheet is damaged, and do not tell text from numbers.
package xlsx

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/xuri/excelize/v2"
)

// What a workbook may take, at most. A workbook that Excel wrote stays far below.
const (
	maxFile    = 512 << 20 // bytes of the file
	maxPart    = 4 << 30   // bytes of a sheet, unpacked; nothing of it is held
	maxStrings = 256 << 20 // bytes of the text of all cells, which is held
	maxAbout   = 32 << 20  // bytes, unpacked, of what is not cells
	maxGap     = 1 << 20   // bytes from one XML tag to the next
	maxDepth   = 64        // of XML elements
	maxColumns = 16384     // of a sheet, as in Excel
	maxRows    = 1 << 20   // likewise
)

// A Book is an open workbook.
type Book struct {
	Sheets []Sheet // that hold cells, in the order of their tabs

	parts    map[string]*zip.File // by name in lower case
	strings  table
	formats  []format // by the style of a cell
	date1904 bool
}

// A Sheet is one of a workbook.
type Sheet struct {
	Name   string
	Hidden bool
	part   string
}

// Open reads a whole file and looks at what sheets are in it. Its error says in a
// few words what the file is instead, or what to do.
func Open(r io.Reader) (*Book, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("the workbook is larger than %d MiB: save the sheet as CSV", maxFile>>20)
	}
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, errors.New("the workbook is cut short or damaged: copy it again")
	}
	b := &Book{parts: make(map[string]*zip.File, len(archive.File))}
	for _, part := range archive.File {
		b.parts[strings.ToLower(strings.ReplaceAll(part.Name, `\`, "/"))] = part
	}
	if other := b.otherThanWorkbook(); other != "" {
		return nil, errors.New(other)
	}
	if err := b.look(archive); err != nil {
		return nil, err
	}
	return b, nil
}

// otherThanWorkbook says what a zip archive is that holds no workbook, and what to
// do with it.
func (b *Book) otherThanWorkbook() string {
	mimetype := ""
	if part := b.parts["mimetype"]; part != nil {
		if r, err := part.Open(); err == nil {
			text, _ := io.ReadAll(io.LimitReader(r, 100)) // a damaged one tells nothing
			mimetype = string(text)
			r.Close()
		}
	}
	has := func(name string) bool { return b.parts[name] != nil }
	switch {
	case strings.Contains(mimetype, "opendocument.spreadsheet"):
		return "this is an OpenDocument spreadsheet (.ods): save it as .xlsx or CSV"
	case strings.Contains(mimetype, "opendocument"):
		return "this is an OpenDocument file, not a list: save its table as .xlsx or CSV"
	case has("xl/workbook.bin"):
		return "this is a binary Excel workbook (.xlsb): save it as .xlsx or CSV"
	case has("index/document.iwa"), has("index.zip"), has("index/tables/datalist.iwa"):
		return "this is a Numbers spreadsheet (.numbers): export it as .xlsx or CSV"
	case has("word/document.xml"):
		return "this is a Word document (.docx): save its table as .xlsx or CSV"
	case has("[content_types].xml"):
		return ""
	}
	return "this is a zip archive: unpack it and give the files in it"
}

// look finds the sheets and the formats of the cells.
func (b *Book) look(archive *zip.Reader) (err error) {
	defer func() { // excelize trusts what it reads
		if recover() != nil {
			err = errors.New("the workbook is damaged: open it in Excel and save it again, as .xlsx or CSV")
		}
	}()
	about, err := withoutCells(archive)
	if err != nil {
		return err
	}
	f, err := excelize.OpenReader(bytes.NewReader(about), excelize.Options{UnzipSizeLimit: maxAbout, UnzipXMLSizeLimit: maxAbout})
	if err != nil {
		return fmt.Errorf("the workbook is damaged: open it in Excel and save it again, as .xlsx or CSV: %w", err)
	}
	defer f.Close()
	if props, err := f.GetWorkbookProps(); err == nil && props.Date1904 != nil {
		b.date1904 = *props.Date1904
	}
	b.formats = formatsOf(f)
	main, err := b.related("", func(r relation) bool { return strings.HasSuffix(r.Type, "/officeDocument") })
	if err != nil {
		return err
	}
	for _, sheet := range f.WorkBook.Sheets.Sheet {
		part, err := b.related(main, func(r relation) bool {
			return r.ID == sheet.ID && strings.HasSuffix(r.Type, "/worksheet")
		})
		if err != nil {
			return err
		}
		if part != "" {
			b.Sheets = append(b.Sheets, Sheet{sheet.Name, sheet.State == "hidden" || sheet.State == "veryHidden", part})
		}
	}
	if len(b.Sheets) == 0 {
		return errors.New("the workbook has no sheet with cells")
	}
	texts, err := b.related(main, func(r relation) bool { return strings.HasSuffix(r.Type, "/sharedStrings") })
	if err != nil || texts == "" {
		return err
	}
	return b.readStrings(texts)
}

// withoutCells is a workbook as a file, less what may be large: the cells, and
// what only people look at.
func withoutCells(archive *zip.Reader) ([]byte, error) {
	var file bytes.Buffer
	w := zip.NewWriter(&file)
	size := uint64(0)
	for _, part := range archive.File {
		name := strings.ToLower(part.Name)
		if !strings.HasSuffix(name, ".xml") && !strings.HasSuffix(name, ".rels") ||
			slices.ContainsFunc([]string{"worksheets", "sharedstrings", "drawing", "pivot", "calcchain", "externallink", "customxml"},
				func(large string) bool { return strings.Contains(name, large) }) {
			continue
		}
		if size += part.UncompressedSize64; size > maxAbout {
			return nil, fmt.Errorf("what the workbook says about its sheets takes more than %d MiB: save the sheet as CSV", maxAbout>>20)
		}
		if err := w.Copy(part); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return file.Bytes(), err
}

// A relation of one part of the file to another.
type relation struct {
	ID     string `xml:"Id,attr"`
	Type   string `xml:"Type,attr"`
	Target string `xml:"Target,attr"`
	Mode   string `xml:"TargetMode,attr"`
}

// related is the name of a part to which another, or "" for the whole file, has a
// relation; "" if there is none.
func (b *Book) related(from string, match func(relation) bool) (string, error) {
	folder, base := path.Split(from)
	part := b.parts[strings.ToLower(folder+"_rels/"+base+".rels")]
	if part == nil {
		return "", nil
	}
	r, err := b.open(part)
	if err != nil {
		return "", err
	}
	defer r.Close()
	var list struct {
		Relations []relation `xml:"Relationship"`
	}
	if err := xml.NewDecoder(io.LimitReader(r, maxAbout)).Decode(&list); err != nil {
		return "", damaged(err)
	}
	for _, found := range list.Relations {
		if found.Mode == "External" || !match(found) {
			continue
		}
		if name, absolute := strings.CutPrefix(found.Target, "/"); absolute {
			return name, nil
		}
		return path.Join(folder, found.Target), nil
	}
	return "", nil
}

func (b *Book) open(part *zip.File) (io.ReadCloser, error) {
	r, err := part.Open()
	if err != nil {
		return nil, damaged(err)
	}
	return r, nil
}

func damaged(err error) error {
	if limit, ok := errors.AsType[*limitError](err); ok {
		return limit
	}
	return fmt.Errorf("the workbook is damaged: copy it again, or save it again: %w", err)
}

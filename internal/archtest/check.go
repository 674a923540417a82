package archtest

import (
	"fmt"
	"slices"
	"strings"
)

// check returns what is wrong with the tree below root, a line a finding.
func check(root string) ([]string, error) {
	files, err := readTree(root)
	if err != nil {
		return nil, err
	}
	sources, err := parseGo(files)
	if err != nil {
		return nil, err
	}
	return slices.Concat(
		checkImports(sources), checkForeign(sources), checkPackages(sources), checkFiles(sources), checkText(files),
	), nil
}

// checkImports holds imports within the module against allowedImports.
func checkImports(sources []goFile) (found []string) {
	for _, f := range sources {
		allowed, known := allowedImports[f.dir]
		if !known {
			found = append(found, fmt.Sprintf("%s: package %s has no row in allowedImports", f.path, f.dir))
			continue
		}
		for _, i := range f.imports {
			target, ours := strings.CutPrefix(i, module+"/")
			if !ours || slices.Contains(allowed.code, target) || f.test && (slices.Contains(allowed.tests, target) || target == f.dir) {
				continue
			}
			found = append(found, fmt.Sprintf("%s: imports %s, which %s may not", f.path, target, f.dir))
		}
	}
	return found
}

// checkForeign holds imports of other modules in code against onlyFor.
func checkForeign(sources []goFile) (found []string) {
	for _, f := range sources {
		if f.test || f.generated {
			continue
		}
		for _, i := range f.imports {
			for prefix, users := range onlyFor {
				if under(i, prefix) && !slices.Contains(users, f.dir) {
					found = append(found, fmt.Sprintf("%s: imports %s, which is only for %v", f.path, i, users))
				}
			}
		}
	}
	slices.Sort(found)
	return found
}

// under says whether path is the one of the table: a package of the standard
// library itself, or whatever begins with somebody's module.
func under(path, prefix string) bool {
	if !strings.Contains(prefix, ".") {
		return path == prefix
	}
	return path == prefix || strings.HasPrefix(path, strings.TrimSuffix(prefix, "/")+"/")
}

// checkPackages wants a comment and a telling name for each package.
func checkPackages(sources []goFile) (found []string) {
	commented, generated := map[string]bool{}, map[string]bool{}
	for _, f := range sources {
		commented[f.dir] = commented[f.dir] || f.comment
		generated[f.dir] = generated[f.dir] || f.generated
	}
	seen := map[string]bool{}
	for _, f := range sources {
		if slices.Contains(forbiddenNames, strings.TrimSuffix(f.packageName, "_test")) {
			found = append(found, fmt.Sprintf("%s: package name %s says nothing", f.path, f.packageName))
		}
		if !seen[f.dir] && !commented[f.dir] && !generated[f.dir] {
			found = append(found, fmt.Sprintf("%s: package %s has no comment", f.path, f.dir))
		}
		seen[f.dir] = true
	}
	return found
}

// checkFiles bounds their length and wants no init functions.
func checkFiles(sources []goFile) (found []string) {
	long := map[string]bool{}
	for _, f := range sources {
		if f.generated {
			continue
		}
		if f.lines > maxLines {
			long[f.path] = true
			if longFiles[f.path] == "" {
				found = append(found, fmt.Sprintf("%s: has %d lines, more than %d, and no reason in longFiles", f.path, f.lines, maxLines))
			}
		}
		if f.inits > 0 {
			found = append(found, fmt.Sprintf("%s: has an init function; pass what it registers instead", f.path))
		}
	}
	for path := range longFiles {
		if !long[path] {
			found = append(found, fmt.Sprintf("%s: is in longFiles without need", path))
		}
	}
	return found
}

// checkText looks for what no file may hold.
func checkText(files []textFile) (found []string) {
	for _, f := range files {
		for i, line := range strings.Split(string(f.content), "\n") {
			for what, pattern := range forbiddenText {
				if m := pattern.FindString(line); m != "" {
					found = append(found, fmt.Sprintf("%s:%d: holds %s: %q", f.path, i+1, what, m))
				}
			}
		}
	}
	return found
}

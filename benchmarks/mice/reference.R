# Pooled means, shares and slopes by mice, and the data as CSV: Rscript reference.R FOLDER M CYCLES SEED
suppressPackageStartupMessages(library(mice))
arguments <- commandArgs(TRUE)
folder <- arguments[1]
m <- as.integer(arguments[2])
cycles <- as.integer(arguments[3])
seed <- as.integer(arguments[4])

tables <- list(
  nhanes2 = list(mice::nhanes2, bmi ~ age + hyp + chl),
  boys = list(mice::boys, tv ~ age + hgt + wgt),
  airquality = list(datasets::airquality[, 1:5], Ozone ~ Solar.R + Wind + Temp),
  mammalsleep = list(mice::mammalsleep[, -1], sws ~ bw + odi),
  popmis = list(mice::popmis[, c("popular", "sex", "texp", "const", "teachpop")], popular ~ sex + texp)
)

pooled <- function(q, u, n) {
  found <- pool.scalar(q, u, n = n)
  c(found$qbar, sqrt(found$t), sqrt(found$b / length(q)))
}

of_column <- function(sets, column) {
  n <- nrow(sets[[1]])
  if (!is.factor(sets[[1]][[column]])) {
    values <- lapply(sets, function(one) as.numeric(one[[column]]))
    found <- pooled(sapply(values, mean), sapply(values, function(v) var(v) / n), n)
    return(data.frame(quantity = paste0("mean(", column, ")"), t(found)))
  }
  do.call(rbind, lapply(levels(sets[[1]][[column]]), function(level) {
    share <- sapply(sets, function(one) mean(one[[column]] == level))
    data.frame(quantity = paste0("share(", column, "=", level, ")"), t(pooled(share, share * (1 - share) / n, n)))
  }))
}

of_model <- function(sets, formula) {
  fits <- lapply(sets, function(one) lm(formula, one))
  do.call(rbind, lapply(names(coef(fits[[1]])), function(term) {
    q <- sapply(fits, function(fit) coef(fit)[[term]])
    u <- sapply(fits, function(fit) vcov(fit)[term, term])
    data.frame(quantity = paste0("slope(", term, ")"), t(pooled(q, u, nrow(sets[[1]]))))
  }))
}

for (method in c("pmm", "norm")) {
  for (name in names(tables)) {
    if (file.exists(file.path(folder, paste0(name, "_", method, ".csv")))) next
    data <- tables[[name]][[1]]
    for (column in names(data)) if (is.factor(data[[column]]) && !anyNA(data[[column]]) && name == "popmis") data[[column]] <- as.numeric(data[[column]])
    ways <- make.method(data, defaultMethod = c(method, "logreg", "polyreg", "polr"))
    run <- suppressWarnings(mice(data, m = m, maxit = cycles, seed = seed, method = ways, printFlag = FALSE))
    sets <- complete(run, "all")
    missing <- names(data)[sapply(data, anyNA)]
    found <- rbind(do.call(rbind, lapply(missing, function(column) of_column(sets, column))), of_model(sets, tables[[name]][[2]]))
    names(found)[2:4] <- c("estimate", "se", "mce")
    write.csv(cbind(table = name, method = method, found), file.path(folder, paste0(name, "_", method, ".csv")), row.names = FALSE)
    write.csv(data, file.path(folder, paste0(name, ".csv")), row.names = FALSE)
    levels_of <- lapply(names(data)[sapply(data, is.factor)], function(column) data.frame(
      column = column, level = levels(data[[column]]), ordered = is.ordered(data[[column]])))
    if (length(levels_of)) write.csv(do.call(rbind, levels_of), file.path(folder, paste0(name, "_levels.csv")), row.names = FALSE)
  }
}
